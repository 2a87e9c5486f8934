// The docs page in a real browser: `docs.mjs PROGRAM FOLDER`, with the built server and a folder for
// screenshots.
//
// Serves a demonstration organization from a temporary SQLite file, opens /docs, authorizes, tries
// out a write of either API, and sees the change on the page and in the API. No request may leave
// the server, and nothing may break the page's policy. Not here: what the documents say
// (tests/it/contract/served_documents.rs).

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

import chromium from "@sparticuz/chromium";
import puppeteer from "puppeteer-core";

const NAME = "Acme Health, seen in a browser";
const TEMPLATE = "Hi {{contactName}}, seen in a browser.";
const PATCH = "#operations-Organization-patchOrganization";
const AUDIT_LOG = "#operations-Audit_log-listAuditLog";
const PUT = "#operations-Organizations-put_organizations_organizationId_missed_call_message";
const STATUS = ".live-responses-table .response .response-col_status";
const BODY = ".live-responses-table .response .highlight-code";

/** Starts a server on a new database. Returns it with its address and its demonstration. */
async function serve(program, folder) {
  const env = {
    PATH: process.env.PATH,
    QUIETLINE_DATABASE_URL: `sqlite://${folder}/quietline.db`,
    QUIETLINE_JWT_SECRET: randomBytes(32).toString("hex"),
    QUIETLINE_LISTEN: "127.0.0.1:0",
    QUIETLINE_LOG: "warn",
  };
  const demo = JSON.parse(execFileSync(program, ["demo", "--json"], { env }));
  const server = spawn(program, ["serve"], { env, stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(createInterface(server.stdout), "line");
  return { server, demo, address: line.match(/http:\/\/[^ ,]+/)[0] };
}

/** Starts the browser that CHROMIUM names, or else the one of package-lock.json. */
async function launch() {
  return puppeteer.launch({
    executablePath: process.env.CHROMIUM || (await chromium.executablePath()),
    headless: process.env.CHROMIUM ? true : "shell",
    defaultViewport: { width: 1280, height: 1600 },
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
      // No name but the server's leads anywhere.
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ],
  });
}

async function get(url, token) {
  const response = await fetch(url, { headers: { Authorization: `Bearer ${token}` } });
  return response.json();
}

/** Returns the text of the first match that can be seen, and waits for it. */
async function text(page, css) {
  const element = await page.waitForSelector(css, { visible: true });
  return element.evaluate((found) => found.innerText);
}

async function click(page, ...places) {
  for (const css of places) await page.locator(css).click();
}

/** Replaces what is there by `value`, key by key: React ignores a value that is set at once. */
async function type(page, css, value) {
  await page.locator(css).fill(value, { typingThreshold: Infinity });
}

async function authorize(page, token) {
  await click(page, ".scheme-container .btn.authorize");
  await type(page, ".modal-ux input[type=text], .modal-ux input[type=password]", token);
  await click(page, ".modal-ux .auth-btn-wrapper button[type=submit]", ".modal-ux .btn-done");
}

async function tryOut(page, operation, body) {
  await click(page, `${operation} .opblock-summary-control`, `${operation} .try-out__btn`);
  if (body) await type(page, `${operation} textarea.body-param__text`, JSON.stringify(body));
}

/** Sends the request. The page must show 200 and what is expected in the body. */
async function execute(page, operation, expected) {
  await click(page, `${operation} .btn.execute`);
  const status = (await text(page, `${operation} ${STATUS}`)).split(/\s/)[0];
  const body = await text(page, `${operation} ${BODY}`);
  assert.equal(status, "200", `${operation}: ${body}`);
  assert.ok(body.includes(expected), `${operation}: ${expected} is not in ${body}`);
}

const values = (page, css) => page.$$eval(css, (options) => options.map((option) => option.value));

async function agentMessage(page, address, demo) {
  const token = demo.keys.admin;
  assert.match(await text(page, ".information-container .title"), /AgentMessage/);
  assert.deepEqual(await values(page, ".servers option"), [address]);
  await authorize(page, token);
  await tryOut(page, PATCH, { name: NAME });
  await execute(page, PATCH, NAME);
  assert.equal((await get(`${address}/v1/organization`, token)).data.name, NAME);
  await tryOut(page, AUDIT_LOG);
  await execute(page, AUDIT_LOG, "organization.update");
}

async function tether(page, address, demo) {
  const apis = ["../openapi/agentmessage.json", "../openapi/tether-relay.json"];
  assert.deepEqual(await values(page, "#select option"), apis);
  await page.select("#select", apis[1]);
  await page.waitForSelector(".information-container .title ::-p-text(Tether)");
  const [token, organization] = [demo.tokens.admin, demo.organization.id];
  await authorize(page, token);
  await tryOut(page, PUT, { missedCallMessage: TEMPLATE });
  await type(page, `${PUT} .parameters input`, organization);
  await execute(page, PUT, TEMPLATE);
  const url = `${address}/api/organizations/${organization}/missed-call-message`;
  const stored = await get(url, token);
  assert.equal(stored.missedCallMessage, TEMPLATE);
}

/** Fails unless every request went to the server. Returns how many addresses there were. */
function checkRequests(sent, address) {
  const isOwn = (url) => url.startsWith(`${address}/`) || url.startsWith("data:");
  const strangers = [...sent].filter((url) => !isOwn(url));
  assert.deepEqual(strangers, [], "requests left the server");
  const paths = ["docs/swagger-ui-bundle.js", "openapi/tether-relay.json", "v1/organization"];
  for (const path of paths) {
    assert.ok(sent.has(`${address}/${path}`), `/${path} was not asked for: ${[...sent]}`);
  }
  return sent.size;
}

async function testDocs(page, { address, demo }, folder) {
  const [sent, complaints] = [new Set(), []];
  const screenshot = (name) => page.screenshot({ path: join(folder, `${name}.png`) });
  page.on("request", (request) => sent.add(request.url()));
  page.on("console", (message) => {
    if (["warn", "error"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  try {
    await page.goto(`${address}/docs`);
    assert.equal(page.url(), `${address}/docs/`);
    await page.waitForSelector(".opblock", { visible: true });
    await screenshot("docs");
    await agentMessage(page, address, demo);
    await screenshot("agentmessage");
    await tether(page, address, demo);
    await screenshot("tether");
    await click(page, "section.models .json-schema-2020-12-expand-deep-button");
    await click(page, ".dark-mode-toggle button");
    await screenshot("schemas");
  } catch (failure) {
    await screenshot("failed");
    throw failure;
  }
  assert.deepEqual(complaints, [], "the browser complained");
  return checkRequests(sent, address);
}

const [program, folder] = process.argv.slice(2).map((path) => resolve(path));
mkdirSync(folder, { recursive: true });
const data = mkdtempSync(join(tmpdir(), "quietline-docs-"));
const browser = await launch();
const served = await serve(program, data);
try {
  const count = await testDocs(await browser.newPage(), served, folder);
  console.log(`docs page: both APIs authorized and tried out, ${count} addresses, all of this server`);
  console.log(`screenshots: ${folder}`);
} finally {
  await browser.close();
  served.server.kill();
  rmSync(data, { recursive: true });
}
