// The overview: numbers by status, which filter the list, the queues, and the workers.

import { callInSession } from "./api.js";
import { byId, element } from "./elements.js";
import { duration, number } from "./formats.js";
import { onLanguage, text } from "./language.js";
import { STATUSES } from "./task-state.js";

const LANES = ["critical", "high", "normal", "low"];

export class Overview {
  // `onFilter(status)` is called with a status, or with null for all.
  constructor(onFilter) {
    this.onFilter = onFilter;
    this.chosen = null;
    this.stats = null;
    onLanguage(() => this.render());
  }

  async refresh() {
    this.stats = await callInSession("GET", "/api/tasks/stats");
    this.render();
  }

  render() {
    if (this.stats === null) return;
    this.renderStatuses(this.stats.statuses);
    const { queues, workers, throughput_per_minute: rate } = this.stats;
    byId("queues").replaceChildren(...Object.entries(queues).map(queueRow));
    byId("throughput").textContent = text("queues.throughput", { n: number(rate, 1) });
    renderWorkers(workers);
  }

  renderStatuses(counts) {
    const list = byId("statuses");
    if (!list.children.length) list.append(...[null, ...STATUSES].map((status) => this.tile(status)));
    const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
    for (const tile of list.querySelectorAll("button")) {
      const count = tile.dataset.status ? counts[tile.dataset.status] ?? 0 : total;
      tile.classList.toggle("none", count === 0);
      tile.setAttribute("aria-pressed", String((tile.dataset.status ?? null) === this.chosen));
      tile.querySelector(".count").textContent = number(count);
      tile.querySelector(".name").textContent = text(`statuses.${tile.dataset.status ?? "all"}`);
    }
  }

  tile(status) {
    const name = element("span", { class: status ? "name status" : "name", "data-status": status });
    const tile = element("button", { type: "button", "data-status": status }, element("span", { class: "count" }), name);
    tile.addEventListener("click", () => this.choose(status));
    return element("li", {}, tile);
  }

  choose(status) {
    this.chosen = status === this.chosen ? null : status;
    this.render();
    this.onFilter(this.chosen);
  }
}

function queueRow([queue, figures]) {
  const paused = figures.paused ? element("span", { class: "paused" }, text("queues.paused")) : null;
  const waiting = LANES.map((lane, place) => counted(figures.waiting[lane], place === 0 ? "first" : ""));
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, queue, paused),
    waiting,
    counted(figures.scheduled, "first"),
    counted(figures.running),
    counted(figures.dead, figures.dead ? "dead-some" : ""),
    timed(figures.wait_ms.p50, "first"),
    timed(figures.wait_ms.p95),
    timed(figures.run_ms.p50, "first"),
    timed(figures.run_ms.p95),
  );
}

function counted(count, kind = "") {
  return element("td", { class: count ? kind : `${kind} zero` }, number(count));
}

function timed(ms, kind = "") {
  return element("td", { class: ms === null ? `${kind} zero` : kind }, duration(ms));
}

// The workers are shown to those who may see them.
function renderWorkers(workers) {
  byId("workers-card").hidden = !workers;
  if (!workers) return;
  const busy = sum(workers, "busy");
  const threads = sum(workers, "threads");
  byId("workers-busy").textContent = workers.length ? text("workers.busy", { busy, threads }) : "";
  const shown = workers.length ? workers.map(workerItem) : [element("li", { class: "problem" }, text("workers.none"))];
  byId("workers").replaceChildren(...shown);
}

function workerItem({ worker, host, busy, threads }) {
  const busyText = text("workers.busy", { busy, threads });
  return element(
    "li",
    {},
    element("span", { class: "name", title: host }, worker),
    element("span", { class: "note", "aria-hidden": "true" }, `${busy}/${threads}`),
    element("meter", { min: 0, max: Math.max(1, threads), value: busy, "aria-label": `${worker}: ${busyText}` }),
  );
}

function sum(workers, field) {
  return workers.reduce((total, worker) => total + worker[field], 0);
}
