// One task in full: its record, how far it is, what it went through, why it waits, and what can be done with it.
//
// The task's own stream tells the events; the record is read again after each move.

import { callInSession } from "../api.js";
import { childrenBar, pauses } from "../children.js";
import { atMostEvery, button, element, perFrame } from "../elements.js";
import { duration, moment, percent } from "../formats.js";
import { nameOf, text } from "../language.js";
import { onEvent } from "../live.js";
import { LiveStream } from "../live-stream.js";
import { badge, confirmed, doButton, pageHead, toast } from "../parts.js";
import { may } from "../session.js";
import { errorBlock, explainBlock, linesBlock, recordBlock, resultBlock, timelineBlock } from "../task-details.js";
import { payloadBlock } from "../task-payload.js";
import { after, fromEvent, isFinal } from "../task-state.js";
import { isWatched, setWatched } from "../watch.js";

const READ_EVERY_MS = 500;
const EXPLAIN_EVERY_MS = 3_000;
const LINES_EVERY_MS = 2_000;

export function show(page) {
  new TaskPage(page).start();
}

class TaskPage {
  constructor({ root, params, signal }) {
    this.root = root;
    this.id = params.id;
    this.path = `/api/tasks/${encodeURIComponent(params.id)}`;
    this.signal = signal;
    this.task = null;
    this.events = [];
    this.unread = null;
    this.render = perFrame(() => !signal.aborted && this.draw());
    this.readSoon = atMostEvery(READ_EVERY_MS, () => !signal.aborted && this.read());
    this.linesSoon = atMostEvery(LINES_EVERY_MS, () => !signal.aborted && (document.hidden ? this.linesSoon() : this.readLines()));
    this.explainSoon = atMostEvery(EXPLAIN_EVERY_MS, () => !signal.aborted && this.explain());
  }

  async start() {
    this.build();
    this.signal.addEventListener("abort", () => this.stream?.close());
    onEvent((name, seq, data) => data.task_id === this.id && this.heardElsewhere(data.status), this.signal);
    await this.read();
    if (!this.gone && !this.signal.aborted) this.watch();
  }

  watch() {
    this.stream?.close();
    this.stream = new LiveStream(`${this.path}/events`, {
      onEvent: (name, seq, data) => this.hear(name, seq, data),
      isOver: async () => isFinal((await callInSession("GET", this.path)).status),
    });
    this.stream.open();
  }

  hear(name, seq, data) {
    this.task = after(this.task ?? fromEvent(data), name, seq, data);
    if (name !== "progress") this.note(name, seq, data);
    else if (this.task.children) this.readSoon();
    this.render();
  }

  note(name, seq, data) {
    if (this.events.some((event) => event.seq === seq)) return;
    this.events.push({ name, seq, ...data });
    this.readSoon();
    this.linesSoon();
    this.explainSoon();
  }

  // Someone else ran the task again: its stream had ended, so it is watched anew.
  heardElsewhere(status) {
    if (this.task && this.stream?.ended && !isFinal(status)) this.watch();
  }

  async read() {
    const seq = this.task?.seq ?? 0;
    try {
      this.take(await callInSession("GET", this.path), seq);
    } catch (problem) {
      this.unread = problem;
    }
    this.render();
  }

  // An event that came while the record was under way is newer than it, but counts no children.
  take(record, seq) {
    this.unread = null;
    if ((this.task?.seq ?? 0) === seq) this.task = { ...record, seq };
    else {
      this.task = { ...this.task, children: record.children };
      this.readSoon();
    }
  }

  // They come by no stream; while the task goes on they are asked for again.
  async readLines() {
    const log = await callInSession("GET", `${this.path}/log`).catch(() => null);
    if (this.signal.aborted || log === null) return;
    if (this.task && !isFinal(this.task.status)) this.linesSoon();
    const told = JSON.stringify([log.lines, log.lines_lost]);
    if (told === this.lines.dataset.told) return;
    this.lines.dataset.told = told;
    const list = this.lines.querySelector("ol");
    const [from, atEnd] = [list?.scrollTop ?? 0, !list || list.scrollHeight - list.scrollTop - list.clientHeight < 4];
    this.lines.replaceChildren(...[linesBlock(log)].filter((block) => block !== null));
    const drawn = this.lines.querySelector("ol");
    if (drawn) drawn.scrollTop = atEnd ? drawn.scrollHeight : from;
  }

  async explain() {
    const found = await callInSession("GET", `${this.path}/explain`).catch(() => null);
    if (this.signal.aborted) return;
    const wanted = found && !isFinal(found.status);
    this.why.hidden = !wanted;
    if (!wanted) return;
    this.why.replaceChildren(explainBlock(found));
    this.explainSoon();
  }

  get gone() {
    return this.unread?.status === 404;
  }

  get problem() {
    return this.gone ? text("panel.gone") : (this.unread?.explanation ?? "");
  }

  // ------------------------------------------------------------------------------------------- the page

  build() {
    this.actions = element("div", { class: "actions" });
    const head = pageHead("…", this.actions);
    this.title = head.querySelector("h1");
    this.where = element("p", { class: "where" });
    const back = element("nav", { class: "crumbs", "aria-label": text("task.crumbs") }, element("a", { href: "/tasks" }, text("nav.tasks")));
    this.now = element("div", { class: "card now" });
    this.told = element("p", { class: "problem", role: "alert" });
    this.main = element("div", { class: "details" });
    this.lines = element("div", { class: "details" });
    this.given = element("div", { class: "details" });
    this.why = element("div", { class: "details", hidden: true });
    this.aside = element("div", { class: "details" });
    const columns = element("div", { class: "task-columns" }, element("div", {}, this.main, this.given, this.lines), element("div", {}, this.why, this.aside));
    this.root.append(back, head, this.where, this.told, this.now, columns);
    this.shownActions = null;
    this.now.hidden = true;
  }

  draw() {
    if (this.told.textContent !== this.problem) this.told.textContent = this.problem;
    if (!this.task) {
      this.title.textContent = this.gone ? text("console.lost") : "…";
      return;
    }
    this.title.textContent = nameOf("task", this.task.task_name);
    document.title = `${this.title.textContent} · Despacho`;
    this.drawWhere(this.task);
    this.drawNow(this.task);
    this.drawActions(this.task);
    this.drawDetails(this.task);
    if (!this.given.children.length) this.given.append(payloadBlock(this.id) ?? "");
  }

  drawWhere({ case_id: caseId, task_name: name, task_id: id, metadata }) {
    if (this.where.children.length) return;
    const link = caseId && element("a", { href: `/tasks?case_id=${encodeURIComponent(caseId)}` }, text("panel.case", { case: caseId }));
    this.where.append(link || metadata?.name || name, " · ", element("span", { class: "code" }, id));
  }

  drawNow(task) {
    this.now.hidden = false;
    if (!this.now.children.length) this.now.append(...nowElements());
    const [line, bar, doing, children] = this.now.children;
    line.firstChild.dataset.status = task.status;
    line.firstChild.textContent = text(`status.${task.status}`);
    line.children[1].hidden = !task.paused;
    line.lastChild.textContent = besideStatus(task);
    // The bar of a batch's cases tells more.
    bar.hidden = task.status !== "running" || Boolean(task.children);
    bar.value = task.progress;
    doing.hidden = task.status !== "running" || !task.progress_message;
    doing.textContent = task.progress_message;
    if (task.children) children.replaceChildren(childrenBar(task.children));
  }

  // Only where they change: a button that has the focus keeps it.
  drawActions(task) {
    const wanted = [mayMove() && move(task), pauses(task), isWatched(this.id), isFinal(task.status)].join();
    if (wanted === this.shownActions) return;
    this.shownActions = wanted;
    const focused = this.actions.contains(document.activeElement);
    this.actions.replaceChildren(...this.buttons(task));
    if (focused) (this.actions.querySelector("button:enabled") ?? this.title).focus();
  }

  buttons(task) {
    const made = [];
    if (!isFinal(task.status)) made.push(this.watchButton());
    if (task.children) made.push(element("a", { class: "button", href: `/tasks?parent_id=${this.id}` }, text("batches.children")));
    const pause = pauses(task);
    if (pause) made.push(doButton(text(`part.${pause}`), {}, () => this.ask("POST", `${this.path}/${pause}`)));
    if (!mayMove()) return made;
    const moves = {
      cancel: () => doButton(text("panel.cancel"), {}, () => this.cancel(task)),
      cancelling: () => button(text("panel.cancelling"), { disabled: true }, () => {}),
      retry: () => doButton(text("panel.retry"), { class: "primary" }, () => this.ask("POST", `/api/tasks/retry/${this.id}`)),
    };
    return [...made, moves[move(task)]?.()].filter(Boolean);
  }

  watchButton() {
    const watched = isWatched(this.id);
    return button(text("panel.watch"), { "aria-pressed": String(watched) }, () => {
      setWatched(this.id, !watched);
      toast(text(watched ? "watch.off" : "watch.on"));
      this.render();
    });
  }

  drawDetails(task) {
    const key = JSON.stringify([task, this.events.length], (name, value) => (CHANGING.has(name) ? undefined : value));
    if (key === this.main.dataset.key) return;
    this.main.dataset.key = key;
    const isOpen = (which) => this.main.querySelector(which)?.open ?? false;
    const blocks = [errorBlock(task), resultBlock(task, isOpen("details:not(.older-steps)")), timelineBlock(this.events, isOpen(".older-steps"))];
    this.main.replaceChildren(...blocks.filter((block) => block !== null));
    this.aside.replaceChildren(recordBlock(task));
  }

  // A batch takes its cases with it.
  async cancel({ children }) {
    const wanted = !children || (await confirmed(text("panel.cancel"), text("batches.cancel_ask"), text("panel.cancel")));
    if (wanted) await this.ask("DELETE", this.path);
  }

  async ask(method, path) {
    await callInSession(method, path);
    if (this.signal.aborted) return;
    if (this.stream?.ended) this.watch();
    this.shownActions = null;
    await this.read();
  }
}

// What changes with every report of progress, and is drawn without the details.
const CHANGING = new Set(["progress", "progress_message", "seq", "run_ms", "wait_ms"]);

function mayMove() {
  return may("tasks:write");
}

function move(task) {
  if (task.cancel_requested) return "cancelling";
  if (!isFinal(task.status)) return "cancel";
  return task.status === "succeeded" ? "" : "retry";
}

function besideStatus({ status, progress, eta, run_ms: ran }) {
  if (status === "running") return percent(progress);
  if (isFinal(status)) return ran == null ? "" : text("panel.took", { time: duration(ran) });
  return eta ? text("tasks.due", { at: moment(eta) }) : "";
}

function nowElements() {
  const paused = badge("warn", text("batches.paused"));
  const line = element("div", {}, element("span", { class: "status" }), paused, element("span", { class: "percent" }));
  const bar = element("progress", { max: 100, "aria-label": text("tasks.progress") });
  return [line, bar, element("p", { class: "doing" }), element("div")];
}
