// Who is logged in: the tenant and the scopes, as the service tells them. They grant nothing; the cookie does, and the
// service checks it. They only spare the reader what would be refused.

import { callInSession } from "./api.js";

let identity = { tenant: null, scopes: [] };

export async function readSession() {
  identity = await callInSession("GET", "/api/session");
}

export function tenant() {
  return identity.tenant;
}

export function may(scope) {
  return identity.scopes.includes(scope);
}
