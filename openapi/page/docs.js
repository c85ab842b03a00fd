// Shows the document beside this page. Requests go to the server that both come from; credentials
// stay in this page and are gone with it.
const root = new URL("..", document.baseURI);

fetch(new URL("openapi.json", root))
  .then((answer) => answer.json())
  .then((spec) => {
    window.SwaggerUIBundle({
      dom_id: "#docs",
      // Also where a proxy serves it behind a path.
      spec: { ...spec, servers: [{ url: root.href.replace(/\/$/, "") }] },
      deepLinking: true,
      defaultModelsExpandDepth: 0,
      displayRequestDuration: true,
      docExpansion: "list",
      filter: true,
      persistAuthorization: false,
      tryItOutEnabled: true,
      validatorUrl: null,
    });
  });
