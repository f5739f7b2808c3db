// The tasks of the list, newest first: pages of the API, carried on by the tenant's stream.

import { isShown, PAGE, TaskPages } from "./task-pages.js";
import { after, fromEvent } from "./task-state.js";

export class TaskStore {
  // `onChange` is called after every change.
  constructor(onChange) {
    this.onChange = onChange;
    this.start(null);
  }

  start(status) {
    this.status = status;
    this.pages = new TaskPages(status);
    this.tasks = new Map();
    this.shown = PAGE;
    this.loaded = false;
  }

  // Show only tasks of this status; null shows all that clients queued.
  async filter(status) {
    this.start(status);
    this.onChange();
    await this.refresh();
  }

  get visible() {
    const wanted = [...this.tasks.values()].filter((task) => this.status === null || task.status === this.status);
    return wanted.sort(newestFirst).slice(0, this.shown);
  }

  get hasOlder() {
    return this.pages.hasOlder || this.tasks.size > this.shown;
  }

  // Read the newest page again.
  async refresh() {
    await this.take((pages) => pages.newest());
    this.loaded = true;
    this.forgetOldest();
    this.onChange();
  }

  async older() {
    await this.take((pages) => pages.older());
    this.shown += PAGE;
    this.onChange();
  }

  async take(read) {
    const asked = performance.now();
    const pages = this.pages;
    const records = await read(pages);
    if (pages === this.pages) records.forEach((record) => this.merge(record, asked));
  }

  // A record that was asked for before the last event came may be older than that.
  merge(record, asked) {
    const known = this.tasks.get(record.task_id);
    const task = known?.touched > asked ? { ...record, ...known, ...fixed(record) } : { ...known, ...record };
    this.tasks.set(record.task_id, task);
  }

  // Carry a task on; returns whether it was new to the list.
  apply(name, seq, data) {
    const known = this.tasks.get(data.task_id);
    if (!known && !this.wants(data)) return false;
    const task = after(known ?? fromEvent(data), name, seq, data);
    this.tasks.set(data.task_id, { ...task, touched: performance.now() });
    if (!known) this.forgetOldest();
    this.onChange();
    return !known;
  }

  wants(data) {
    return this.status === null ? isShown(data.task_name) : this.status === data.status;
  }

  forgetOldest() {
    if (this.tasks.size <= 2 * this.shown + PAGE * 8) return;
    this.tasks = new Map(this.visible.map((task) => [task.task_id, task]));
  }
}

// What of a record never changes.
function fixed({ task_name, queue, priority, created_at, case_id, parent_id, max_retries }) {
  return { task_name, queue, priority, created_at, case_id, parent_id, max_retries };
}

function newestFirst(a, b) {
  return a.created_at < b.created_at ? 1 : a.created_at > b.created_at ? -1 : a.task_id < b.task_id ? 1 : -1;
}
