// Which operations this service has, from its own OpenAPI document: what it doesn't have isn't shown.

import { call } from "./api.js";

let paths = {};

export async function readFeatures() {
  paths = (await call("GET", "/openapi.json")).paths;
}

// `has("POST /api/tasks/cancel")`; parameters stand in braces, whatever their names.
export function has(operation) {
  const [method, path] = operation.split(" ");
  const found = Object.keys(paths).find((known) => bare(known) === bare(path));
  return found !== undefined && method.toLowerCase() in paths[found];
}

function bare(path) {
  return path.replace(/\{\w+\}/g, "{}");
}
