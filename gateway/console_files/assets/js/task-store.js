// The tasks of the list, newest first: pages of the API, carried on by the tenant's stream.

import { callInSession } from "./api.js";
import { after, fromEvent } from "./task-state.js";

const PAGE = 50;

export class TaskStore {
  // `onChange` is called after every change.
  constructor(onChange) {
    this.onChange = onChange;
    this.status = null;
    this.clear();
  }

  clear() {
    this.tasks = new Map();
    this.cursor = null;
    this.shown = PAGE;
    this.loaded = false;
  }

  // Show only tasks of this status; null shows all.
  async filter(status) {
    this.status = status;
    this.clear();
    this.onChange();
    await this.refresh();
  }

  get visible() {
    const wanted = [...this.tasks.values()].filter((task) => this.status === null || task.status === this.status);
    return wanted.sort(newestFirst).slice(0, this.shown);
  }

  get hasOlder() {
    return this.cursor !== null;
  }

  // Read the newest page again; returns its newest task, if there is one.
  async refresh() {
    const page = await this.read(null);
    if (page === null) return null;
    if (this.shown === PAGE) this.cursor = page.next_cursor;
    this.loaded = true;
    this.forgetOldest();
    this.onChange();
    return page.tasks[0] ?? null;
  }

  async older() {
    const page = await this.read(this.cursor);
    if (page === null) return;
    this.shown += page.tasks.length;
    this.cursor = page.next_cursor;
    this.onChange();
  }

  async read(cursor) {
    const asked = performance.now();
    const status = this.status;
    const query = new URLSearchParams({ limit: PAGE });
    if (status !== null) query.set("status", status);
    if (cursor !== null) query.set("cursor", cursor);
    const page = await callInSession("GET", `/api/tasks?${query}`);
    if (status !== this.status) return null;
    page.tasks.forEach((record) => this.merge(record, asked));
    return page;
  }

  // A record that was asked for before the last event came may be older than that.
  merge(record, asked) {
    const known = this.tasks.get(record.task_id);
    const older = known?.touched > asked;
    const task = older ? { ...record, ...known, ...fixed(record) } : { ...known, ...record };
    this.tasks.set(record.task_id, task);
  }

  // Carry a task on; returns whether it was new to the list.
  apply(name, seq, data) {
    const known = this.tasks.get(data.task_id);
    if (!known && this.status !== null && this.status !== data.status) return false;
    const task = after(known ?? fromEvent(data), name, seq, data);
    this.tasks.set(data.task_id, { ...task, touched: performance.now() });
    if (!known) this.forgetOldest();
    this.onChange();
    return !known;
  }

  forgetOldest() {
    if (this.tasks.size <= 2 * this.shown) return;
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
