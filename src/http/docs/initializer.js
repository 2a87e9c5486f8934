// Starts Swagger UI over both documents. The policy of the page forbids inline scripts.
"use strict";

// Returns a copy of the served document for trying out requests.
const tryOutCopy = (spec) => {
  const copy = structuredClone(spec);
  const operations = Object.values(copy.paths ?? {}).flatMap((item) => Object.values(item ?? {}));
  const used = new Set(operations.flatMap((operation) => operation?.tags ?? []));
  // Requests go to the server of this page, not to the servers in the document, because the policy of the
  // page allows no other server.
  const url = new URL("..", window.location.href).href.replace(/\/$/, "");
  copy.servers = [{ url, description: "This server" }];
  copy.tags = copy.tags?.filter(({ name }) => used.has(name));
  // Swagger UI would fill in examples of optional parameters: a tag that leads to 304, filters without
  // a match, and an unwanted condition.
  const parameters = [
    ...Object.values(copy.components?.parameters ?? {}),
    ...operations.flatMap((operation) => operation?.parameters ?? []),
  ];
  for (const parameter of parameters) {
    if (!parameter.required) delete parameter.example;
  }
  return copy;
};

const tryOutPlugin = () => ({
  statePlugins: {
    spec: { wrapActions: { updateJsonSpec: (update) => (spec) => update(tryOutCopy(spec)) } },
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
    plugins: [tryOutPlugin],
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    queryConfigEnabled: false,
    // Otherwise Swagger UI would send the address of each document to validator.swagger.io.
    validatorUrl: null,
  });
});
