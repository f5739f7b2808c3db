// The one way in which the pages call the API: the session cookie says who calls.

import { nameOf, text } from "./language.js";

// An answer that is no success. `errors` is `[{field, message}]` for invalid input; status 0 is no answer at all.
export class Problem extends Error {
  constructor(status, body = {}) {
    super(body.detail ?? `status ${status}`);
    this.status = status;
    this.errors = body.errors ?? [];
  }

  // What to tell the reader, in their language; the service's own words say which field is wrong.
  get explanation() {
    const known = nameOf("problem", String(this.status));
    const general = known === String(this.status) ? text("problem.other", { status: this.status }) : known;
    const fields = this.errors.map(({ field, message }) => `${field}: ${message}`);
    return [general, ...fields].join(" ");
  }
}

// The JSON of the answer, or null where it has none. Throws `Problem`.
export async function call(method, path, body, headers = {}) {
  const request = { method, headers: { Accept: "application/json", ...headers } };
  if (body !== undefined) {
    request.headers["Content-Type"] = "application/json";
    request.body = JSON.stringify(body);
  }
  const response = await answered(path, request);
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new Problem(response.status, answer ?? {});
  return answer;
}

async function answered(path, request) {
  try {
    return await fetch(path, request);
  } catch {
    throw new Problem(0);
  }
}

// Like `call`, for pages behind the login: a session that has ended leads back to it.
export async function callInSession(method, path, body, headers) {
  try {
    return await call(method, path, body, headers);
  } catch (problem) {
    if (problem.status === 401) toLogin();
    throw problem;
  }
}

export function toLogin() {
  const here = location.pathname + location.search + location.hash;
  location.assign(`/login?next=${encodeURIComponent(here)}`);
}

// Upload a document; the answer names it. Throws `Problem`.
export async function upload(file, caseId) {
  const body = new FormData();
  if (caseId) body.set("case_id", caseId);
  body.set("file", file);
  const response = await answered("/api/documents", { method: "POST", headers: { Accept: "application/json" }, body });
  const answer = await response.json().catch(() => null);
  if (response.status === 401) toLogin();
  if (!response.ok) throw new Problem(response.status, answer ?? {});
  return answer;
}
