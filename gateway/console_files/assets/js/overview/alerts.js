// The alerts that fire, with the value that fired and where to see to it; those that were resolved lately; and whether
// anybody evaluates them at all.

import { element } from "../elements.js";
import { duration, number } from "../formats.js";
import { nameOf, text } from "../language.js";
import { badge, card, when } from "../parts.js";

const TONES = { critical: "bad", warning: "warn", info: "calm" };
const SILENT_MS = 180_000;

export function drawAlerts(place, { alerts, evaluated_at: evaluated }) {
  const firing = alerts.filter(({ state }) => state === "firing");
  const over = alerts.filter(({ state }) => state === "resolved");
  const unfolded = place.querySelector("details")?.open ?? false;
  const list = firing.length
    ? element("ul", { class: "alerts" }, firing.map(firingItem))
    : element("p", { class: "note inset calm" }, text("alerts.none"));
  place.replaceChildren(card(text("alerts.title"), evaluation(evaluated), list, over.length > 0 && resolvedList(over, unfolded)));
}

// Where nobody evaluates, nothing fires: that must not look like peace.
function evaluation(at) {
  if (!at) return badge("warn", text("alerts.never"));
  const silent = Date.now() - Date.parse(at) > SILENT_MS;
  if (silent) return element("p", { class: "note" }, badge("bad", text("alerts.silent")), " ", when(at));
  return element("p", { class: "note" }, text("alerts.evaluated"), " ", when(at));
}

function firingItem(alert) {
  const tone = TONES[alert.severity] ?? "calm";
  const to = remedy(alert);
  return element(
    "li",
    { "data-tone": tone, "data-rule": alert.rule },
    badge(tone, nameOf("severity", alert.severity)),
    element("div", { class: "what" }, title(alert), alert.description && element("p", { class: "note", lang: "en" }, alert.description)),
    element("div", { class: "value" }, element("span", {}, measured(alert)), element("span", { class: "note" }, when(alert.fired_at ?? alert.since))),
    to && element("a", { class: "button small", href: to, "aria-label": `${text("alerts.see")}: ${nameOf("alert", alert.kind)}` }, text("alerts.see")),
  );
}

function title({ kind, labels }) {
  const of = Object.values(labels).map((words) => element("span", { class: "code" }, words));
  return element("p", {}, element("strong", {}, nameOf("alert", kind)), of.flatMap((each) => [" ", each]));
}

function resolvedList(alerts, open) {
  const items = alerts.map((alert) =>
    element(
      "li",
      { "data-rule": alert.rule },
      title(alert),
      element("span", { class: "note" }, measured(alert), " · ", when(alert.fired_at), " → ", when(alert.resolved_at)),
    ),
  );
  const summary = element("summary", {}, text("alerts.resolved", { n: number(alerts.length) }));
  return element("details", { class: "resolved", open }, summary, element("ul", {}, items));
}

// "25 tarefas (limite 10)".
function measured({ value, threshold, unit }) {
  if (value == null) return "";
  const limit = threshold == null ? "" : ` (${text("alerts.limit", { limit: amount(threshold, unit) })})`;
  return `${amount(value, unit)}${limit}`;
}

function amount(value, unit) {
  if (unit === "s") return duration(value * 1_000);
  if (unit === "%") return `${number(value, 1)} %`;
  return `${number(value, 1)} ${nameOf("unit", value === 1 ? `${unit}.one` : unit)}`;
}

// The page on which somebody can do something about it.
function remedy({ kind, labels }) {
  const query = new URLSearchParams(labels);
  if (kind === "dead_letters_growing" || kind === "failure_rate") return `/dead-letters?${query}`;
  if (kind === "oldest_waiting") return `/tasks?status=queued&${query}`;
  if (["schedule_missed", "backup_failed", "no_scheduler"].includes(kind)) return "/schedules";
  return null;
}
