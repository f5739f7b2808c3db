// How the cases of a batch stand: one bar of shares, and the same in words.

import { element } from "./elements.js";
import { has } from "./features.js";
import { number } from "./formats.js";
import { text } from "./language.js";
import { may } from "./session.js";
import { isFinal } from "./task-state.js";

const KINDS = ["succeeded", "failed", "cancelled", "running", "pending"];

export function childrenBar(children) {
  const parts = KINDS.filter((kind) => children[kind]).map((kind) => {
    const part = element("span", { "data-status": kind === "pending" ? "queued" : kind });
    part.style.setProperty("flex-grow", String(children[kind]));
    return part;
  });
  const words = KINDS.filter((kind) => children[kind] || kind === "succeeded").map((kind) =>
    element("span", { "data-status": kind === "pending" ? "queued" : kind }, text(`children.${kind}`, { n: number(children[kind]) })),
  );
  return element(
    "div",
    { class: "children" },
    element("div", { class: "phases", "aria-hidden": "true" }, parts),
    element("p", { class: "shares" }, words, element("span", { class: "note" }, text("children.total", { n: number(children.total) }))),
  );
}

// Whether a batch can be paused or resumed now.
export function pauses(task) {
  const can = task.children && !isFinal(task.status) && may("tasks:write") && has("POST /api/tasks/{id}/pause");
  if (!can) return "";
  return task.paused ? "resume" : "pause";
}
