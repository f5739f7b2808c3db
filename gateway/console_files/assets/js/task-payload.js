// What a task was given: shown on demand to those who may see it, for each reading stands in the audit trail; to others
// the page says why it isn't there.

import { callInSession } from "./api.js";
import { button, element } from "./elements.js";
import { has } from "./features.js";
import { nameOf, text } from "./language.js";
import { doButton } from "./parts.js";
import { may } from "./session.js";

const SCOPE = "tasks:payload";
const SHOWN_CHARACTERS = 20_000;

// The section, closed; or null where the service has no such thing.
export function payloadBlock(id) {
  if (!has("GET /api/tasks/{id}/payload")) return null;
  const section = element("section", {}, element("h2", {}, text("payload.title")));
  const content = element("div", { class: "payload" });
  section.append(content);
  if (may(SCOPE)) close(content, id);
  else content.append(hidden());
  return section;
}

// In place of what the key may not see.
export function hidden() {
  return element("p", { class: "note" }, text("payload.hidden"), " ", element("span", { class: "code" }, SCOPE));
}

function close(content, id) {
  const show = doButton(text("payload.show"), { class: "small", "aria-expanded": "false" }, async () => {
    const { kwargs } = await callInSession("GET", `/api/tasks/${encodeURIComponent(id)}/payload`);
    open(content, id, kwargs);
  });
  content.replaceChildren(element("p", { class: "note" }, text("payload.noted")), show);
}

function open(content, id, kwargs) {
  const hide = button(text("payload.hide"), { class: "small", "aria-expanded": "true" }, () => {
    close(content, id);
    content.querySelector("button").focus();
  });
  const whole = JSON.stringify(kwargs, null, 2);
  const shown = whole.length > SHOWN_CHARACTERS ? [clipped(whole)] : [fields(kwargs)];
  content.replaceChildren(...shown, element("div", { class: "actions" }, hide, saveLink(id, whole)));
  hide.focus();
}

function clipped(whole) {
  const first = element("pre", { tabindex: "0" }, `${whole.slice(0, SHOWN_CHARACTERS)}…`);
  return element("div", {}, element("p", { class: "note" }, text("payload.clipped")), first);
}

// What was read is saved without being read, and noted, again.
function saveLink(id, whole) {
  const href = URL.createObjectURL(new Blob([whole], { type: "application/json" }));
  return element("a", { class: "button small", href, download: `${id}-payload.json` }, text("payload.save"));
}

function fields(kwargs) {
  const names = Object.keys(kwargs);
  if (!names.length) return element("p", { class: "note" }, text("payload.empty"));
  return element("dl", { class: "given" }, names.map((name) => [element("dt", {}, nameOf("argument", name)), element("dd", {}, told(kwargs[name]))]));
}

function told(value) {
  if (typeof value === "string") return element("p", { class: "words" }, value);
  if (Array.isArray(value) && value.length > 0 && value.every(isTurn)) return conversation(value);
  if (typeof value === "object") return element("pre", { tabindex: "0" }, JSON.stringify(value, null, 2));
  return String(value);
}

function isTurn(value) {
  return typeof value?.role === "string" && typeof value.content === "string";
}

function conversation(turns) {
  const items = turns.map(({ role, content }) =>
    element("li", { "data-role": role }, element("span", { class: "note" }, nameOf("role", role)), element("p", { class: "words" }, content)),
  );
  return element("ol", { class: "conversation" }, items);
}
