// The list of tasks: its filter stands in the address, its rows are live, and what can be done to all that match.

import { callInSession } from "../api.js";
import { atMostEvery, button, element } from "../elements.js";
import { has } from "../features.js";
import { number } from "../formats.js";
import { nameOf, text } from "../language.js";
import { onEvent, onLiveState } from "../live.js";
import { confirmed, doButton, emptyState, errorState, field, pageHead, select, toast, waitState } from "../parts.js";
import { navigate } from "../router.js";
import { may } from "../session.js";
import { TaskRows } from "../task-rows.js";
import { taskTypes } from "../task-pages.js";
import { STATUSES } from "../task-state.js";
import { TaskStore } from "../task-store.js";

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const PERIODS = { "15m": 15, "1h": 60, "24h": 1_440, "7d": 10_080 };
const DRAW_EVERY_MS = 100;
const READ_EVERY_MS = 1_000;
const FIELDS = ["status", "task_name", "queue", "priority", "case_id", "parent_id", "since"];

export function show(page) {
  new TasksPage(page).start();
}

class TasksPage {
  constructor({ root, query, setQuery, signal }) {
    this.root = root;
    this.setQuery = setQuery;
    this.signal = signal;
    this.asked = Object.fromEntries(FIELDS.map((name) => [name, query.get(name) ?? ""]));
    this.rows = new TaskRows();
    this.below = element("div");
    this.render = atMostEvery(DRAW_EVERY_MS, () => !signal.aborted && this.draw());
    this.refresh = atMostEvery(READ_EVERY_MS, () => !signal.aborted && !document.hidden && this.read());
  }

  start() {
    this.actions = element("div", { class: "actions" });
    this.moving = element("p", { class: "note", role: "status" });
    this.filters = element("form", { class: "filters", role: "search", "aria-label": text("tasks.filter") });
    this.filters.addEventListener("submit", (event) => event.preventDefault());
    this.chips = element("ul", { class: "chips", "aria-label": text("statuses.title") });
    this.note = element("p", { class: "note" });
    this.root.append(pageHead(text("nav.tasks"), this.moving, this.actions), this.chips, this.filters);
    this.root.append(element("section", { class: "card list", "aria-label": text("tasks.title") }, this.note, this.rows.element, this.below));
    this.clear = button(text("tasks.clear"), { class: "quiet clear" }, () => navigate("/tasks"));
    this.drawFilters();
    this.filter();
    onEvent((name, seq, data) => this.store.apply(name, seq, data) && this.refresh(), this.signal);
    // What a read missed while the service was away is read when the stream is back.
    onLiveState((state) => state === "open" && this.read({ all: true }), this.signal);
  }

  // ---------------------------------------------------------------------------------------------- filter

  async drawFilters() {
    const any = ["", text("tasks.any")];
    const types = await taskTypes().catch(() => []);
    const names = types.map(({ task_name: name }) => [name, nameOf("task", name)]);
    const queues = [...new Set(types.map(({ queue }) => queue))].map((queue) => [queue, queue]);
    const priorities = ["critical", "high", "normal", "low"].map((name) => [name, text(`priority.${name}`)]);
    const periods = Object.keys(PERIODS).map((name) => [name, text(`period.${name}`)]);
    if (this.signal.aborted) return;
    this.filters.append(
      this.search(),
      field(text("tasks.task"), this.choice("task_name", [any, ...withAsked(names, this.asked.task_name)])),
      field(text("queues.queue"), this.choice("queue", [any, ...withAsked(queues, this.asked.queue)])),
      field(text("tasks.priority"), this.choice("priority", [any, ...priorities])),
      field(text("tasks.created"), this.choice("since", [any, ...periods])),
      this.clear,
    );
  }

  search() {
    const input = element("input", { type: "search", value: this.asked.case_id, maxlength: 128, spellcheck: "false", autocomplete: "off", placeholder: text("tasks.search_hint") });
    input.addEventListener("change", () => {
      const words = input.value.trim();
      // Enter also submits the form, which must still be there then.
      if (ID.test(words)) setTimeout(() => navigate(`/tasks/${words.toLowerCase()}`));
      else this.choose("case_id", words);
    });
    return field(text("tasks.search"), input);
  }

  choice(name, options) {
    const made = select(options, this.asked[name]);
    made.addEventListener("change", () => this.choose(name, made.value));
    return made;
  }

  choose(name, value) {
    this.asked[name] = value;
    this.setQuery(new URLSearchParams(Object.entries(this.asked).filter(([, value]) => value)));
    this.filter();
  }

  // The parameters of the API for what is asked.
  get query() {
    const { since, ...rest } = this.asked;
    const found = Object.fromEntries(Object.entries(rest).filter(([, value]) => value));
    if (since in PERIODS) found.created_after = new Date(Date.now() - PERIODS[since] * 60_000).toISOString();
    return found;
  }

  filter() {
    this.store = new TaskStore(this.query, () => this.render());
    this.below.replaceChildren(waitState());
    this.drawChips();
    this.drawActions();
    this.clear.hidden = Object.keys(this.query).length === 0;
    this.read();
  }

  drawChips() {
    const chips = ["", ...STATUSES].map((status) => {
      const query = new URLSearchParams(Object.entries({ ...this.asked, status }).filter(([, value]) => value));
      const here = status === this.asked.status ? "true" : null;
      const mark = status ? { class: "status", "data-status": status } : {};
      const link = element("a", { href: `/tasks${query.size ? `?${query}` : ""}`, "aria-current": here }, element("span", mark, text(`statuses.${status || "all"}`)));
      return element("li", {}, link);
    });
    this.chips.replaceChildren(...chips);
  }

  // ------------------------------------------------------------------------------------------------ list

  async read(how) {
    const store = this.store;
    try {
      await store.refresh(how);
      this.refused = null;
    } catch (problem) {
      this.refused = problem;
    }
    if (store === this.store) this.render();
  }

  draw() {
    const tasks = this.store.visible;
    this.rows.render(tasks);
    const filtered = Object.keys(this.query).length > 0;
    const shown = this.store.pages.mergesTypes ? "tasks.unfiltered" : "tasks.shown";
    this.note.textContent = tasks.length ? text(shown, { n: number(tasks.length) }) : "";
    const edge = this.edge(tasks, filtered);
    if (this.below.dataset.edge === edge && edge !== "failed") return;
    this.below.dataset.edge = edge;
    this.below.replaceChildren(...this.drawEdge(edge));
  }

  edge(tasks, filtered) {
    if (this.refused && !tasks.length) return "failed";
    if (!this.store.loaded) return "reading";
    if (!tasks.length) return filtered ? "none_filtered" : "none";
    return this.store.hasOlder ? "older" : "end";
  }

  drawEdge(edge) {
    if (edge === "failed") return [errorState(this.refused, () => this.read())];
    if (edge === "reading") return [waitState()];
    if (edge === "none") return [emptyState(text("tasks.none"), may("tasks:write") && element("a", { href: "/submit" }, text("nav.submit")))];
    if (edge === "none_filtered") return [emptyState(text("tasks.none_filtered"), element("a", { href: "/tasks" }, text("tasks.clear")))];
    if (edge === "end") return [];
    const older = doButton(text("tasks.older"), { class: "quiet" }, () => this.store.older());
    return [element("p", { class: "more" }, older)];
  }

  // --------------------------------------------------------------------------------------- all that match

  // Nobody means all tasks that there are: something has to be filtered.
  drawActions() {
    const filtered = Object.keys(this.query).length > 0;
    if (!may("tasks:write") || !filtered) return this.actions.replaceChildren();
    const verbs = ["cancel", "retry"].filter((verb) => has(`POST /api/tasks/${verb}`));
    this.actions.replaceChildren(...verbs.map((verb) => doButton(text(`tasks.${verb}_all`), {}, () => this.moveAll(verb))));
  }

  async moveAll(verb) {
    const filter = this.query;
    const said = Object.entries(filter).map(([name, value]) => `${name} = ${value}`).join(", ");
    const words = text(`tasks.${verb}_all_ask`, { filter: said });
    if (!(await confirmed(text(`tasks.${verb}_all`), words, text(`tasks.${verb}_all`)))) return;
    const { status, ...others } = filter;
    const telling = this.tellMoves(verb);
    let answer;
    try {
      answer = await callInSession("POST", `/api/tasks/${verb}`, status ? { ...others, status: [status] } : others);
    } finally {
      telling.abort();
    }
    toast(text(`tasks.${verb}_all_done`, { n: number(answer.cancelled ?? answer.retried ?? 0) }));
    await this.read({ all: true });
  }

  // Thousands take seconds: meanwhile it is told how many were heard of.
  tellMoves(verb) {
    const telling = new AbortController();
    let heard = 0;
    const tell = atMostEvery(250, () => {
      if (!telling.signal.aborted) this.moving.textContent = text(`tasks.${verb}_all_going`, { n: number(heard) });
    });
    onEvent((name) => name === HEARD[verb] && ++heard && tell(), telling.signal);
    telling.signal.addEventListener("abort", () => { this.moving.textContent = ""; });
    this.signal.addEventListener("abort", () => telling.abort());
    tell();
    return telling;
  }
}

// The event by which a move of many is heard, task by task.
const HEARD = { cancel: "cancelled", retry: "queued" };

// What the address asks for stands in the choice, though it is none of the usual ones.
function withAsked(options, asked) {
  return !asked || options.some(([code]) => code === asked) ? options : [...options, [asked, nameOf("task", asked)]];
}
