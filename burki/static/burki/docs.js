"use strict";

const element = document.getElementById("swagger-ui");
const csrf = () => document.cookie.match(/(?:^|; )csrftoken=([^;]*)/);

window.SwaggerUIBundle({
  domNode: element,
  url: element.dataset.url,
  deepLinking: true,
  defaultModelsExpandDepth: -1,
  docExpansion: "list",
  requestInterceptor: (request) => {
    const token = csrf(); // for those who are signed in; an API key needs none
    if (token) {
      request.headers["X-CSRFToken"] = token[1];
    }
    return request;
  },
});
