// How the service stands: what fires, figures, plots of the last hour, queues with their lanes, workers, breakers.
//
// An operator sees every tenant together, or their own alone; everybody else their own.

import { callInSession } from "../api.js";
import { atMostEvery, element } from "../elements.js";
import { has } from "../features.js";
import { duration, number, share } from "../formats.js";
import { text } from "../language.js";
import { onEvent } from "../live.js";
import { drawAlerts } from "../overview/alerts.js";
import { Plots } from "../overview/plots.js";
import { drawQueues } from "../overview/queues.js";
import { drawBreakers, drawWorkers } from "../overview/standing.js";
import { errorState, pageHead, whileSeen } from "../parts.js";
import { may, tenant } from "../session.js";
import { STATUSES } from "../task-state.js";

const STATS_EVERY_MS = 5_000;
const SOON_MS = 2_000;
const REST_EVERY_MS = 5_000;

export function show({ root, query, signal }) {
  let everyone = may("ops:read") && query.get("scope") !== "own";
  const scopes = element("div");
  const places = { alerts: element("div"), queues: element("div"), workers: element("div"), breakers: element("div") };
  const statuses = element("ul", { class: "statuses", id: "statuses", "aria-label": text("statuses.title") });
  const figures = element("dl", { class: "figures" });
  const plots = new Plots();
  root.append(pageHead(text("nav.overview"), scopes), places.alerts, statuses, figures, plots.element, places.queues);
  root.append(element("div", { class: "halves" }, places.workers, places.breakers));

  const read = async () => {
    try {
      const stats = await callInSession("GET", `/api/tasks/stats${everyone ? "?scope=all" : ""}`);
      if (signal.aborted) return;
      if (everyone && areOwn(stats.tenants)) {
        everyone = false;
        return read();
      }
      drawScopes(scopes, everyone);
      drawStatuses(statuses, stats.statuses, !everyone);
      drawFigures(figures, stats);
      plots.draw(stats.minutes);
      drawQueues(places.queues, stats.queues, read);
      drawWorkers(places.workers, stats.workers);
    } catch (problem) {
      if (!signal.aborted) places.queues.replaceChildren(errorState(problem, read));
    }
  };
  whileSeen(STATS_EVERY_MS, read, signal);
  const soon = atMostEvery(SOON_MS, () => !signal.aborted && !document.hidden && read());
  onEvent((name) => name !== "progress" && soon(), signal);
  if (may("ops:read")) readRest(places, signal);
}

function readRest(places, signal) {
  const sections = [
    ["GET /api/alerts", places.alerts, drawAlerts],
    ["GET /api/circuit-breakers", places.breakers, drawBreakers],
  ];
  for (const [operation, place, draw] of sections.filter(([operation]) => has(operation))) {
    const read = () =>
      callInSession("GET", operation.split(" ")[1])
        .then((answer) => !signal.aborted && draw(place, answer))
        .catch((problem) => !signal.aborted && place.replaceChildren(errorState(problem, read)));
    whileSeen(REST_EVERY_MS, read, signal);
    const soon = atMostEvery(SOON_MS, () => !signal.aborted && !document.hidden && read());
    onEvent((name) => TELLING.has(name) && soon(), signal);
  }
}

// After these a breaker may stand otherwise, and an alert with it.
const TELLING = new Set(["retrying", "failed", "succeeded"]);

const SYSTEM = "system";

// Whether nobody but the reader's tenant has tasks; the service's own upkeep aside.
function areOwn(tenants) {
  return tenants.every((name) => name === SYSTEM || name === tenant());
}

// Who asked for one's own, or sees all, can change it.
function drawScopes(place, everyone) {
  const isChoice = everyone || new URLSearchParams(location.search).get("scope") === "own";
  if (place.children.length || !isChoice || !may("ops:read")) return;
  const link = (href, words, here) => element("li", {}, element("a", { href, "aria-current": here ? "true" : null }, words));
  const choices = [link("/", text("overview.everyone"), everyone), link("/?scope=own", tenant(), !everyone)];
  place.append(element("ul", { class: "chips", "aria-label": text("overview.scope") }, choices));
}

// ------------------------------------------------------------------------------------------------- figures

// The list of tasks shows one's own alone, so only their number leads there.
function drawStatuses(list, counts, areOwn) {
  if (!list.children.length) list.append(...STATUSES.map((status) => tile(status, areOwn)));
  for (const shown of list.querySelectorAll("[data-count]")) {
    const count = counts[shown.dataset.count] ?? 0;
    shown.classList.toggle("none", count === 0);
    shown.querySelector(".count").textContent = number(count);
  }
}

function tile(status, areOwn) {
  const content = [
    element("span", { class: "count" }),
    element("span", { class: "name status", "data-status": status }, text(`statuses.${status}`)),
  ];
  const attributes = { class: "tile", "data-count": status };
  const shown = areOwn ? element("a", { ...attributes, href: `/tasks?status=${status}` }, content) : element("div", attributes, content);
  return element("li", {}, shown);
}

function drawFigures(list, { queues, tasks, minutes }) {
  const sum = (field) => Object.values(tasks).reduce((total, figures) => total + figures[field], 0);
  const { succeeded, failed, cancelled } = minutes.at(-2);
  const ended = sum("succeeded") + sum("failed");
  const oldest = Math.max(...Object.values(queues).map((queue) => queue.oldest_waiting_ms ?? 0));
  const shown = [
    ["throughput", text("overview.per_minute", { n: number(succeeded + failed + cancelled) })],
    ["success_hour", ended ? share(sum("succeeded") / ended) : "–"],
    ["retried", number(sum("retried"))],
    ["oldest", oldest ? duration(oldest) : "–"],
  ];
  list.replaceChildren(...shown.map(([name, value]) => element("div", {}, element("dt", {}, text(`overview.${name}`)), element("dd", {}, value))));
}
