// The login: an API key for a session cookie, then on to where the reader wanted to go.

import { call } from "./api.js";
import { byId } from "./elements.js";
import { onLanguage, startLanguage, text } from "./language.js";

const form = byId("login");
const field = byId("api-key");
const problem = byId("problem");
let told = null;

// Only a path of this service: `//host`, `/\host` and `https:` would lead elsewhere.
function destination() {
  const next = new URLSearchParams(location.search).get("next") ?? `/${location.hash}`;
  const local = /^\/(?![\/\\])[^\\\u0000-\u0020]*$/.test(next);
  return local && new URL(next, location.origin).origin === location.origin ? next : "/";
}

function tell(explain) {
  told = explain;
  problem.hidden = explain === null;
  problem.textContent = explain?.() ?? "";
  field.setAttribute("aria-invalid", String(explain !== null));
}

function refuse(explain) {
  tell(explain);
  field.focus();
  field.select();
}

async function logIn() {
  await call("POST", "/api/session", { api_key: field.value });
  location.replace(destination());
}

function explained(refused) {
  const wrong = refused.status === 401 || refused.status === 422;
  return () => (wrong ? text("login.wrong") : refused.explanation);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!field.value.trim()) return refuse(() => text("login.empty"));
  const submit = form.querySelector("[type=submit]");
  submit.disabled = true;
  try {
    await logIn();
  } catch (refused) {
    refuse(explained(refused));
  } finally {
    submit.disabled = false;
  }
});

startLanguage(byId("language"));
onLanguage(() => tell(told));
