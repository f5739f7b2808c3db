// The blocks of a task's page: record, error, history, result, and why it does not run.

import { element, json } from "./elements.js";
import { duration, exactMoment, moment, number } from "./formats.js";
import { language, nameOf, text } from "./language.js";
import { when } from "./parts.js";
import { may } from "./session.js";
import { hidden } from "./task-payload.js";
import { isFinal } from "./task-state.js";
import { triageBlock } from "./triage-result.js";

export function recordBlock(task) {
  const rows = [
    ["queue", task.queue && `${task.queue} · ${task.task_name}`],
    ["priority", task.priority && text(`priority.${task.priority}`)],
    ["attempts", attempts(task)],
    ["created", time(task.created_at)],
    ["due", time(task.eta)],
    ["started", time(task.started_at)],
    ["finished", time(task.finished_at)],
    ["wait", task.wait_ms != null && duration(task.wait_ms)],
    ["run", task.finished_at && duration(task.run_ms)],
    ["worker", task.worker && code(task.worker)],
    ["parent", task.parent_id && taskLink(task.parent_id)],
    ["metadata", hasFields(task.metadata) && code(JSON.stringify(task.metadata))],
  ];
  const list = element("dl", {}, rows.filter(([, value]) => value).flatMap(row));
  return block("panel.record", list);
}

function row([name, value]) {
  return [element("dt", {}, text(`panel.${name}`)), element("dd", {}, value)];
}

function block(title, ...children) {
  return element("section", {}, element("h2", {}, text(title)), children);
}

function code(words) {
  return element("span", { class: "code" }, words);
}

function time(iso) {
  return iso && when(iso);
}

function attempts({ attempt, max_retries: retries }) {
  return attempt ? text("panel.attempts_of", { attempt, most: retries + 1 }) : null;
}

function taskLink(id) {
  return element("a", { class: "code", href: `/tasks/${id}` }, id);
}

function hasFields(value) {
  return value && Object.keys(value).length > 0;
}

export function errorBlock({ error, status }) {
  if (!error || (status !== "failed" && status !== "retrying")) return null;
  const when = text("panel.error_attempt", { attempt: error.attempt, at: moment(error.at) });
  return block(
    "panel.error",
    element(
      "div",
      { class: "failure" },
      element("p", { class: "type" }, error.type),
      element("p", {}, error.message),
      element("p", { class: "note" }, when, status === "retrying" ? ` · ${text("panel.error_retry")}` : ""),
    ),
  );
}

const SHOWN_STEPS = 12;

// What the task went through, oldest first; of a long history the latest steps, and the others on demand.
export function timelineBlock(events, unfolded) {
  if (!events.length) return null;
  const ordered = [...events].sort((a, b) => a.seq - b.seq).map(withDuration);
  const older = ordered.slice(0, -SHOWN_STEPS);
  const steps = (some) => element("ol", { class: "timeline" }, some.map(entry));
  const summary = element("summary", {}, text("panel.older_steps", { n: number(older.length) }));
  const before = older.length > 0 && element("details", { class: "older-steps", open: unfolded }, summary, steps(older));
  return block("panel.log", phasesBar(ordered), before, steps(ordered.slice(-SHOWN_STEPS)));
}

// What the actor logged, in its own words.
export function linesBlock({ lines, lines_lost: lost }) {
  if (!lines?.length) return null;
  const list = element("ol", { class: "lines", tabindex: "0", "aria-label": text("panel.lines") }, lines.map(lineItem));
  return block("panel.lines", lost > 0 && element("p", { class: "note" }, text("panel.lines_lost", { lost: number(lost) })), list);
}

function lineItem({ at, run, level, logger, message }) {
  return element(
    "li",
    { "data-level": level },
    element("time", { datetime: at, title: exactMoment(at) }, moment(at)),
    element("span", { class: "note", title: logger }, `${text("panel.run_number", { run })} · ${level}`),
    element("span", { class: "code" }, message),
  );
}

// How long each state lasted, as widths of one bar; the exact times stand in the list below it.
function phasesBar(events) {
  const until = isFinal(events.at(-1).status) ? Date.parse(events.at(-1).at) : Date.now();
  const from = Date.parse(events[0].at);
  const whole = Math.max(1, until - from);
  const parts = events.map((event, place) => {
    const end = place + 1 < events.length ? Date.parse(events[place + 1].at) : until;
    return { status: event.status, ms: Math.max(0, end - Date.parse(event.at)) };
  });
  const drawn = parts.filter(({ ms }) => ms > 0).map(({ status, ms }) => {
    const part = element("span", { "data-status": status, title: `${text(`status.${status}`)}: ${duration(ms)}` });
    part.style.setProperty("flex-grow", String(ms / whole));
    return part;
  });
  return drawn.length && element("div", { class: "phases", "aria-hidden": "true" }, drawn);
}

// The end of a run says how long the run took.
function withDuration(event, place, events) {
  const before = events[place - 1];
  const endsRun = before?.name === "running" && event.name !== "running";
  return endsRun ? { ...event, lasted: Date.parse(event.at) - Date.parse(before.at) } : event;
}

function entry(event) {
  const name = event.name === "recovered" ? text("event.recovered") : text(`status.${event.name}`);
  return element(
    "li",
    { "data-status": event.status },
    element("span", {}, name),
    element("time", { datetime: event.at, title: exactMoment(event.at) }, moment(event.at)),
    detailOf(event).map((words) => element("span", { class: "detail" }, words)),
  );
}

function detailOf({ name, attempt, error, eta, lasted, waits_for: hindrance }) {
  const words = [];
  if (hindrance) words.push(waiting(hindrance));
  if (lasted != null) words.push(text("panel.lasted", { time: duration(lasted) }));
  if (name === "running") words.push(text("panel.attempt", { attempt }));
  if (error) words.push(error.message || error.type);
  if (eta) words.push(text("tasks.due", { at: moment(eta) }));
  return words;
}

// "breaker llm": of what kind it is, and which one.
function waiting(hindrance) {
  const [kind, ...name] = hindrance.split(" ");
  return [nameOf("waits", kind), name.join(" ")].filter(Boolean).join(" ");
}

// The result, a triage in words and anything else as JSON. `open` says whether the whole of it is unfolded.
export function resultBlock(task, open) {
  if (task.status !== "succeeded") return null;
  if (!may("tasks:payload")) return block("panel.result", hidden());
  if (task.result_url) return block("panel.result", link("result_large", task.result_url));
  if (task.result == null) return null;
  const save = element("a", { href: `/api/tasks/${task.task_id}/result`, download: `${task.task_id}.json` }, text("panel.save"));
  const shown = task.result.area ? triageBlock(task.result, open) : [json(task.result), linksOf(task.result)];
  return block("panel.result", shown, element("p", {}, save));
}

// What lies beside a result. Only paths of this service become links.
function linksOf({ results_url, embeddings_url, report_id }) {
  const report = report_id && `/api/reports/${encodeURIComponent(report_id)}.html`;
  const found = Object.entries({ results: results_url, embeddings: embeddings_url, report });
  return found.filter(([, url]) => url?.startsWith("/api/")).map(([name, url]) => link(name, url));
}

function link(name, url) {
  return element("p", {}, element("a", { href: url }, text(`panel.${name}`)));
}

// Where a waiting task stands, and what holds it back.
export function explainBlock({ position, expected_start_at: expected, reasons }) {
  const rows = [
    ["position", position != null && number(position)],
    ["expected", expected && when(expected)],
  ];
  const list = element("ul", { class: "reasons" }, reasons.map(reasonItem));
  const standing = rows.filter(([, value]) => value).flatMap(row);
  return block("panel.why", list, standing.length > 0 && element("dl", {}, standing));
}

// The service's own sentence is English; the evidence says the same to everybody.
function reasonItem({ reason, detail, evidence }) {
  const shown = Object.entries(evidence).filter(([name, value]) => !UNTOLD.has(name) && isTellable(value));
  return element(
    "li",
    {},
    element("p", {}, nameOf("reason", reason)),
    language() === "en" && element("p", { class: "note" }, detail),
    shown.length > 0 && element("dl", { class: "evidence" }, shown.map(([name, value]) => [element("dt", {}, nameOf("evidence", name)), element("dd", {}, told(name, value))])),
  );
}

// What stands elsewhere on the page already.
const UNTOLD = new Set(["exact", "position", "total", "succeeded", "failed", "cancelled", "pending", "attempt", "max_retries"]);

function isTellable(value) {
  return Array.isArray(value) ? value.length > 0 : value !== null && typeof value !== "object";
}

function told(name, value) {
  if (name === "batch") return taskLink(value);
  if (typeof value === "number") return number(value);
  if (Array.isArray(value)) return code(value.join(", "));
  return /^\d{4}-\d\d-\d\dT.*Z$/.test(value) ? when(value) : code(String(value));
}
