// One task in full: its record, how far it is, what it went through, and what can be done with it.
//
// The task's own stream tells the events; the record is read again after each move.

import { callInSession } from "./api.js";
import { atMostEvery, button, byId, element, perFrame } from "./elements.js";
import { percent } from "./formats.js";
import { nameOf, onLanguage, text } from "./language.js";
import { LiveStream } from "./live-stream.js";
import { may } from "./session.js";
import { errorBlock, recordBlock, resultBlock, timelineBlock } from "./task-details.js";
import { after, fromEvent, isFinal } from "./task-state.js";

const READ_EVERY_MS = 500;

export class TaskPanel {
  // `onClose` is called when the reader closes the panel.
  constructor(onClose) {
    this.place = byId("panel");
    this.onClose = onClose;
    this.id = null;
    this.render = perFrame(() => this.draw());
    this.readSoon = atMostEvery(READ_EVERY_MS, () => this.read());
    onLanguage(() => this.id && this.build());
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.id && onClose());
  }

  async open(id) {
    this.leave();
    this.id = id;
    this.task = null;
    this.events = [];
    this.refused = null;
    this.unread = null;
    this.build();
    this.place.hidden = false;
    this.title.focus();
    await this.read();
    if (this.id === id && !this.gone) this.watch();
  }

  close() {
    this.leave();
    this.id = null;
    this.place.hidden = true;
  }

  leave() {
    this.stream?.close();
    this.stream = null;
  }

  watch() {
    this.leave();
    this.stream = new LiveStream(`/api/tasks/${this.id}/events`, {
      onEvent: (name, seq, data) => this.hear(name, seq, data),
      isOver: async () => isFinal((await callInSession("GET", `/api/tasks/${this.id}`)).status),
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
  }

  // Someone else ran the task again: its stream had ended, so it is watched anew.
  heardElsewhere(status) {
    if (this.task && this.stream?.ended && !isFinal(status)) this.watch();
  }

  async read() {
    const id = this.id;
    if (id === null) return;
    const seq = this.task?.seq ?? 0;
    try {
      const record = await callInSession("GET", `/api/tasks/${id}`);
      if (this.id === id) this.take(record, seq);
    } catch (problem) {
      if (this.id === id) this.unread = problem;
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

  get gone() {
    return this.unread?.status === 404;
  }

  // What went wrong with a button, or else with reading the record.
  get problem() {
    return this.gone ? text("panel.gone") : (this.refused ?? this.unread)?.explanation ?? "";
  }

  // ------------------------------------------------------------------------------------------- the page

  build() {
    this.title = element("h2", { id: "panel-title", tabindex: "-1" });
    this.where = element("p", { class: "where" });
    const close = button(text("panel.close"), { class: "quiet close" }, () => this.onClose());
    this.now = element("div", { class: "now" });
    this.actions = element("div", { class: "actions" });
    this.told = element("p", { class: "problem", role: "alert" });
    this.details = element("div", { class: "details" });
    const body = element("div", { class: "body", tabindex: "0" }, this.now, this.actions, this.told, this.details);
    this.place.replaceChildren(element("header", {}, this.title, close, this.where), body);
    this.shownActions = null;
    this.draw();
  }

  draw() {
    if (this.id === null) return;
    if (this.told.textContent !== this.problem) this.told.textContent = this.problem;
    this.title.textContent = this.task ? nameOf("task", this.task.task_name) : "…";
    if (!this.task) return;
    this.where.textContent = this.task.case_id ? text("panel.case", { case: this.task.case_id }) : this.task.task_name;
    this.drawNow(this.task);
    this.drawActions(this.task);
    this.drawDetails(this.task);
  }

  drawNow(task) {
    if (!this.now.children.length) this.now.append(...nowElements());
    const [line, bar, doing] = this.now.children;
    line.firstChild.dataset.status = task.status;
    line.firstChild.textContent = text(`status.${task.status}`);
    line.lastChild.textContent = task.status === "running" ? percent(task.progress) : "";
    bar.hidden = task.status !== "running";
    bar.value = task.progress;
    doing.hidden = task.status !== "running";
    doing.textContent = task.progress_message;
  }

  // Only where they change: a button that has the focus keeps it.
  drawActions(task) {
    const wanted = !may("tasks:write") ? "" : task.cancel_requested ? "cancelling" : actionOf(task.status);
    if (wanted === this.shownActions) return;
    this.shownActions = wanted;
    const hadFocus = this.actions.contains(document.activeElement);
    this.actions.replaceChildren(...this.buttons(wanted));
    this.actions.hidden = wanted === "";
    if (hadFocus) (this.actions.querySelector("button:enabled") ?? this.title).focus();
  }

  buttons(wanted) {
    if (wanted === "cancel") return [button(text("panel.cancel"), {}, () => this.cancel())];
    if (wanted === "cancelling") return [button(text("panel.cancelling"), { disabled: true }, () => {})];
    if (wanted === "retry") return [button(text("panel.retry"), { class: "primary" }, () => this.retry())];
    return [];
  }

  drawDetails(task) {
    const key = JSON.stringify([task, this.events.length], (name, value) => (CHANGING.has(name) ? undefined : value));
    if (key === this.details.dataset.key) return;
    this.details.dataset.key = key;
    const open = this.details.querySelector("details")?.open ?? false;
    const blocks = [errorBlock(task), resultBlock(task, open), timelineBlock(this.events), recordBlock(task)];
    this.details.replaceChildren(...blocks.filter((block) => block !== null));
  }

  // ---------------------------------------------------------------------------------------- the buttons

  cancel() {
    return this.ask("DELETE", `/api/tasks/${this.id}`);
  }

  retry() {
    return this.ask("POST", `/api/tasks/retry/${this.id}`);
  }

  async ask(method, path) {
    const id = this.id;
    this.refused = null;
    for (const pressed of this.actions.querySelectorAll("button")) pressed.disabled = true;
    try {
      await callInSession(method, path);
      if (this.id === id && this.stream?.ended) this.watch();
    } catch (problem) {
      this.refused = problem;
    }
    if (this.id !== id) return;
    this.shownActions = null;
    await this.read();
  }
}

// What changes with every report of progress, and is drawn without the details.
const CHANGING = new Set(["progress", "progress_message", "seq", "run_ms", "wait_ms"]);

function actionOf(status) {
  if (!isFinal(status)) return "cancel";
  return status === "succeeded" ? "" : "retry";
}

function nowElements() {
  const line = element("div", {}, element("span", { class: "status" }), element("span", { class: "percent" }));
  const bar = element("progress", { max: 100, "aria-labelledby": "panel-title" });
  return [line, bar, element("p", { class: "doing" })];
}
