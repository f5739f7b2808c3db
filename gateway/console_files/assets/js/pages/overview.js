// How the service stands: figures, plots of the last quarter of an hour, queues with their lanes, workers, breakers,
// alerts.

import { callInSession } from "../api.js";
import { atMostEvery, element } from "../elements.js";
import { has } from "../features.js";
import { duration, moment, number, share } from "../formats.js";
import { nameOf, text } from "../language.js";
import { onEvent } from "../live.js";
import { badge, card, doButton, emptyState, errorState, pageHead, when, whileSeen } from "../parts.js";
import { Plot } from "../plot.js";
import { readBefore, series } from "../samples.js";
import { may } from "../session.js";
import { STATUSES } from "../task-state.js";

const STATS_EVERY_MS = 5_000;
const REST_EVERY_MS = 15_000;
const PLOTS_EVERY_MS = 2_000;
const LANES = ["critical", "high", "normal", "low"];
const QUANTILES = [
  { name: "p50", label: "p50", kind: "line", tone: "calm" },
  { name: "p95", label: "p95", kind: "line", tone: "warn" },
  { name: "p99", label: "p99", kind: "line", tone: "bad" },
];

export function show({ root, signal }) {
  const alerts = element("div");
  const statuses = element("ul", { class: "statuses", id: "statuses", "aria-label": text("statuses.title") });
  const figures = element("dl", { class: "figures" });
  const queues = element("div");
  const workers = element("div", { class: "side" });
  const breakers = element("div", { class: "side" });
  root.append(pageHead(text("nav.overview")), alerts, statuses, figures, plots(signal), queues);
  root.append(element("div", { class: "halves" }, workers, breakers));

  const readStats = async () => {
    try {
      const stats = await callInSession("GET", "/api/tasks/stats");
      if (signal.aborted) return;
      drawStatuses(statuses, stats.statuses);
      drawFigures(figures, stats);
      drawQueues(queues, stats, readStats);
      drawWorkers(workers, stats.workers);
    } catch (problem) {
      if (!signal.aborted) queues.replaceChildren(errorState(problem, readStats));
    }
  };
  whileSeen(STATS_EVERY_MS, readStats, signal);
  if (may("ops:read")) showRest(alerts, breakers, signal);
}

function showRest(alerts, breakers, signal) {
  const sections = [
    ["GET /api/alerts", alerts, drawAlerts],
    ["GET /api/circuit-breakers", breakers, drawBreakers],
  ];
  for (const [operation, place, draw] of sections.filter(([operation]) => has(operation))) {
    const read = () =>
      callInSession("GET", operation.split(" ")[1])
        .then((answer) => draw(place, answer))
        .catch((problem) => place.replaceChildren(errorState(problem, read)));
    whileSeen(REST_EVERY_MS, read, signal);
  }
}

// ------------------------------------------------------------------------------------------------- figures

function drawStatuses(list, counts) {
  if (!list.children.length) list.append(...STATUSES.map(tile));
  for (const link of list.querySelectorAll("a")) {
    const count = counts[link.dataset.status] ?? 0;
    link.classList.toggle("none", count === 0);
    link.querySelector(".count").textContent = number(count);
  }
}

function tile(status) {
  const name = element("span", { class: "name status", "data-status": status }, text(`statuses.${status}`));
  const href = `/tasks?status=${status}`;
  return element("li", {}, element("a", { href, "data-status": status }, element("span", { class: "count" }), name));
}

function drawFigures(list, { queues, throughput_per_minute: rate }) {
  const all = Object.values(queues);
  const sum = (field) => all.reduce((total, queue) => total + (queue[field] ?? 0), 0);
  const ended = sum("succeeded") + sum("failed");
  const oldest = Math.max(...all.map((queue) => queue.oldest_waiting_ms ?? 0));
  const shown = [
    ["throughput", text("overview.per_minute", { n: number(rate, 1) })],
    ["success", ended ? share(sum("succeeded") / ended) : "–"],
    ["retried", number(sum("retried"))],
    ["oldest", oldest ? duration(oldest) : "–"],
  ];
  list.replaceChildren(
    ...shown.map(([name, value]) =>
      element("div", {}, element("dt", {}, text(`overview.${name}`)), element("dd", {}, value)),
    ),
  );
}

// --------------------------------------------------------------------------------------------------- plots

function plots(signal) {
  const counted = [
    { name: "succeeded", label: text("statuses.succeeded"), kind: "bar", tone: "good" },
    { name: "failed", label: text("statuses.failed"), kind: "bar", tone: "bad" },
  ];
  const throughput = new Plot(text("overview.ended_per_minute"), counted, (value) => number(value));
  const wait = new Plot(text("overview.wait"), QUANTILES, duration);
  const run = new Plot(text("overview.run"), QUANTILES, duration);
  const draw = () => {
    const { from, step, buckets, unknown } = series();
    const at = (place) => moment(new Date(from + place * step).toISOString());
    const rated = buckets.map(({ succeeded, failed }) => ({
      succeeded: (succeeded * 60_000) / step,
      failed: (failed * 60_000) / step,
    }));
    const ends = [text(unknown ? "overview.unknown" : "overview.ago"), text("overview.now"), unknown];
    throughput.draw(rated, at, ...ends);
    wait.draw(buckets.map((bucket) => bucket.wait), at, ...ends);
    run.draw(buckets.map((bucket) => bucket.run), at, ...ends);
  };
  readBefore().catch(() => null).then(() => !signal.aborted && draw());
  whileSeen(PLOTS_EVERY_MS, draw, signal);
  const soon = atMostEvery(PLOTS_EVERY_MS / 4, () => !signal.aborted && draw());
  onEvent((name) => name !== "progress" && soon(), signal);
  return card(
    text("overview.plots"),
    text("overview.span"),
    element("div", { class: "plots" }, throughput.element, wait.element, run.element),
  );
}

// -------------------------------------------------------------------------------------------------- queues

function drawQueues(place, { queues }, again) {
  // A button that has the focus isn't taken away from under the finger.
  if (place.contains(document.activeElement) && document.activeElement.matches("button:enabled")) {
    if (place.dataset.drawn === JSON.stringify(Object.values(queues).map((queue) => queue.paused))) return;
  }
  place.dataset.drawn = JSON.stringify(Object.values(queues).map((queue) => queue.paused));
  const rows = Object.entries(queues).map(([queue, figures]) => queueRow(queue, figures, again));
  const scrolled = element("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": text("queues.title") });
  scrolled.append(element("table", { class: "queues" }, queueHead(), element("tbody", {}, rows)));
  place.replaceChildren(card(text("queues.title"), text("overview.hour"), scrolled));
}

function queueHead() {
  const tall = (name) => element("th", { scope: "col", rowspan: 2 }, text(`queues.${name}`));
  const wide = (name, span) => element("th", { scope: "colgroup", colspan: span, class: "group" }, text(`queues.${name}`));
  const low = (words, first) => element("th", { scope: "col", class: first ? "first" : null }, words);
  const quantiles = ["p50", "p95", "p99"].map((name, at) => [name, at === 0]);
  return element(
    "thead",
    {},
    element("tr", {}, [
      ...[tall("queue"), wide("waiting", 4), tall("oldest"), tall("running"), tall("scheduled"), tall("dead")],
      ...[wide("wait", 3), wide("run", 3)],
    ]),
    element("tr", {}, [
      ...LANES.map((lane, at) => low(text(`priority.${lane}`), at === 0)),
      ...[...quantiles, ...quantiles].map(([name, first]) => low(name, first)),
    ]),
  );
}

function queueRow(queue, figures, again) {
  const paused = figures.paused ? badge("warn", text("queues.paused")) : null;
  const link = element("a", { href: `/tasks?queue=${queue}` }, queue);
  const waiting = LANES.map((lane, place) => counted(figures.waiting[lane], place === 0 ? "first" : ""));
  const times = ["wait_ms", "run_ms"].flatMap((name) =>
    ["p50", "p95", "p99"].map((quantile, at) => timed(figures[name][quantile], at === 0 ? "first" : "")),
  );
  return element(
    "tr",
    { "data-queue": queue },
    element("th", { scope: "row" }, element("div", { class: "queue" }, link, paused, may("ops:write") && pauseButton(queue, figures.paused, again))),
    waiting,
    timed(figures.oldest_waiting_ms, "first"),
    counted(figures.running),
    counted(figures.scheduled),
    counted(figures.dead, figures.dead ? "dead-some" : ""),
    times,
  );
}

function pauseButton(queue, paused, again) {
  const verb = paused ? "resume" : "pause";
  const label = text(`queues.${verb}_it`, { queue });
  return doButton(text(`part.${verb}`), { class: "quiet small", "aria-label": label }, async () => {
    await callInSession("POST", `/api/queues/${queue}/${verb}`);
    await again();
  });
}

function counted(count, kind = "") {
  return element("td", { class: count ? kind : `${kind} zero` }, number(count));
}

function timed(ms, kind = "") {
  return element("td", { class: ms === null ? `${kind} zero` : kind }, duration(ms));
}

// ------------------------------------------------------------------------------------- workers and the rest

// The workers are shown to those who may see them.
function drawWorkers(place, workers) {
  if (!workers) return;
  const busy = sum(workers, "busy");
  const threads = sum(workers, "threads");
  const note = workers.length ? text("workers.busy", { busy, threads }) : "";
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

function sum(workers, field) {
  return workers.reduce((total, worker) => total + worker[field], 0);
}

const BREAKER_TONES = { closed: "good", open: "bad", half_open: "warn" };

function drawBreakers(place, { breakers }) {
  const items = breakers.map(({ name, state, failures, opened_at: opened, last_error: error }) =>
    element(
      "li",
      {},
      element("span", { class: "name" }, name),
      badge(BREAKER_TONES[state] ?? "calm", nameOf("breaker", state)),
      element("span", { class: "note wide" }, text("breakers.failures", { n: number(failures) }), opened && [" · ", when(opened)], error && ` · ${error}`),
    ),
  );
  const list = items.length ? element("ul", { class: "workers" }, items) : emptyState(text("breakers.none"));
  place.replaceChildren(card(text("breakers.title"), "", list));
}

const SEVERITY_TONES = { critical: "bad", warning: "warn" };

function drawAlerts(place, { alerts }) {
  const firing = alerts.filter((alert) => alert.state === "firing");
  if (!firing.length) return place.replaceChildren();
  const items = firing.map((alert) => {
    const value = alert.value == null ? "" : `${number(alert.value, 2)} ${alert.unit ?? ""}`.trim();
    const limit = alert.threshold == null ? "" : text("alerts.limit", { limit: number(alert.threshold, 2) });
    return element(
      "li",
      { "data-tone": SEVERITY_TONES[alert.severity] ?? "calm" },
      badge(SEVERITY_TONES[alert.severity] ?? "calm", nameOf("severity", alert.severity)),
      element("span", { class: "what" }, alert.description || alert.rule),
      element("span", { class: "note" }, [value, limit].filter(Boolean).join(" · "), " · ", when(alert.fired_at ?? alert.since)),
    );
  });
  place.replaceChildren(card(text("alerts.title"), number(firing.length), element("ul", { class: "alerts" }, items)));
}
