// Starts Swagger UI over both documents. A file of its own, because the page allows no inline script.
"use strict";

// What is shown is a copy of the served document, made fit for trying out.
const shown = (spec) => {
  const copy = structuredClone(spec);
  const operations = Object.values(copy.paths ?? {}).flatMap((item) => Object.values(item ?? {}));
  const used = new Set(operations.flatMap((operation) => operation?.tags ?? []));
  // Requests go to the server that this page came from, whichever ones a document names; the page's
  // policy lets them reach no other.
  const url = new URL("..", window.location.href).href.replace(/\/$/, "");
  copy.servers = [{ url, description: "This server" }];
  copy.tags = copy.tags?.filter(({ name }) => used.has(name));
  // Would be filled in: a read that is answered with 304, filters that nothing fits, and a condition
  // that nobody asked for.
  const parameters = [
    ...Object.values(copy.components?.parameters ?? {}),
    ...operations.flatMap((operation) => operation?.parameters ?? []),
  ];
  for (const parameter of parameters) {
    if (!parameter.required) delete parameter.example;
  }
  return copy;
};

const fitForTryingOut = () => ({
  statePlugins: {
    spec: { wrapActions: { updateJsonSpec: (update) => (spec) => update(shown(spec)) } },
  },
});

window.addEventListener("load", () => {
  window.ui = SwaggerUIBundle({
    dom_id: "#swagger-ui",
    urls: [
      { name: "AgentMessage, /v1", url: "../openapi/agentmessage.json" },
      { name: "Tether, /api", url: "../openapi/tether-relay.json" },
    ],
    deepLinking: true,
    layout: "StandaloneLayout",
    persistAuthorization: false,
    plugins: [fitForTryingOut],
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    queryConfigEnabled: false,
    // Would send the address of every document to validator.swagger.io.
    validatorUrl: null,
  });
});
