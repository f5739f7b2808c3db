// Who works, and which outside services are left alone for now.

import { element } from "../elements.js";
import { number } from "../formats.js";
import { nameOf, text } from "../language.js";
import { badge, card, emptyState, when } from "../parts.js";

export function drawWorkers(place, workers) {
  const sum = (field) => workers.reduce((total, worker) => total + worker[field], 0);
  const note = workers.length ? text("workers.busy", { busy: sum("busy"), threads: sum("threads") }) : "";
  const list = workers.length
    ? element("ul", { class: "workers" }, workers.map(workerItem))
    : element("p", { class: "problem inset" }, text("workers.none"));
  place.replaceChildren(card(text("workers.title"), note, list));
}

function workerItem({ worker, host, busy, threads, last_seen: seen }) {
  const busyText = text("workers.busy", { busy, threads });
  return element(
    "li",
    {},
    element("span", { class: "name", title: host }, worker),
    element("span", { class: "note" }, when(seen), ` · ${busy}/${threads}`),
    element("meter", { min: 0, max: Math.max(1, threads), value: busy, "aria-label": `${worker}: ${busyText}` }),
  );
}

const TONES = { closed: "good", open: "bad", half_open: "warn" };

export function drawBreakers(place, { breakers }) {
  const items = breakers.map(breakerItem);
  const list = items.length ? element("ul", { class: "workers" }, items) : emptyState(text("breakers.none"));
  place.replaceChildren(card(text("breakers.title"), "", list));
}

function breakerItem({ name, state, failures, opened_at: opened, until, last_error: error }) {
  const isClosed = state === "closed";
  const told = [
    failures > 0 && [text(failures === 1 ? "breakers.failure" : "breakers.failures", { n: number(failures) })],
    error && [element("span", { class: "code" }, error)],
    opened && [text(isClosed ? "breakers.was_open" : "breakers.open_since"), " ", when(opened)],
    !isClosed && until && [text("breakers.probe"), " ", when(until)],
  ].filter(Boolean);
  return element(
    "li",
    { "data-breaker": name },
    element("span", { class: "name" }, name),
    badge(TONES[state] ?? "calm", nameOf("breaker", state)),
    told.length > 0 && element("span", { class: "note wide" }, told.flatMap((words, at) => (at ? [" · ", ...words] : words))),
  );
}
