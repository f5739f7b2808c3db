// A triage as a lawyer wants to read it: what it is about, how urgent and why, and what to ask next.

import { element, json } from "./elements.js";
import { percent } from "./formats.js";
import { nameOf, text } from "./language.js";

export function triageBlock(result, open) {
  return [
    finding(result),
    part("triage.reasons", list(result.urgency_reasons.map(reason))),
    part("triage.summary", result.summary && element("p", {}, result.summary)),
    part("triage.missing", list(result.missing_information.map((what) => element("li", {}, what)), "open-questions")),
    part("triage.next", result.next_question && element("p", {}, result.next_question)),
    whole(result, open),
  ].flat();
}

export function urgency(level) {
  return text("triage.urgency", { level: nameOf("urgency", level) });
}

function finding({ area, urgency: level, confidence }) {
  return element(
    "p",
    {},
    element("span", { class: "finding" }, nameOf("area", area)),
    " · ",
    element("span", { class: `urgency-${level}` }, urgency(level)),
    " · ",
    element("span", { class: "note" }, text("triage.confidence", { percent: percent(confidence * 100) })),
  );
}

function reason({ rule, evidence }) {
  return element("li", { class: "evidence" }, `${rule}: `, element("q", {}, evidence));
}

function list(items, kind) {
  return items.length ? element("ul", { class: kind }, items) : null;
}

function part(title, content) {
  return content ? [element("h3", {}, text(title)), content] : [];
}

function whole(result, open) {
  return element("details", { open }, element("summary", {}, text("triage.full")), json(result));
}
