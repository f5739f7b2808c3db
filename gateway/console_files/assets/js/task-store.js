// The tasks of a list, newest first: pages of the API, carried on by the tenant's stream.

import { isShown, PAGE, TaskPages } from "./task-pages.js";
import { after } from "./task-state.js";

export class TaskStore {
  // `filter` has the parameters of `GET /api/tasks`; `onChange` is called after every change.
  constructor(filter, onChange) {
    this.filter = filter;
    this.onChange = onChange;
    this.pages = new TaskPages(filter);
    this.tasks = new Map();
    this.shown = PAGE;
    this.loaded = false;
    // The types of which the list may lack a task.
    this.lacking = new Set();
  }

  get visible() {
    const { status } = this.filter;
    const wanted = [...this.tasks.values()].filter((task) => !status || task.status === status);
    return wanted.sort(newestFirst).slice(0, this.shown);
  }

  get hasOlder() {
    return this.pages.hasOlder || this.tasks.size > this.shown;
  }

  // Read the newest page again; only what may be lacking, once there is a list.
  async refresh({ all = false } = {}) {
    const only = this.loaded && !all ? this.lacking : null;
    this.lacking = new Set();
    await this.take((pages) => pages.newest(only));
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
    const records = await read(this.pages);
    records.forEach((record) => this.merge(record, asked));
  }

  // A record that was asked for before the last event came may be older than that.
  merge(record, asked) {
    const known = this.tasks.get(record.task_id);
    const task = known?.touched > asked ? { ...record, ...known, ...fixed(record) } : { ...known, ...record };
    this.tasks.set(record.task_id, task);
  }

  // Carry a task on. Returns whether the list may lack a task now, so that it should be read again.
  apply(name, seq, data) {
    const known = this.tasks.get(data.task_id);
    if (!known) return name !== "progress" && this.mayWant(data) && Boolean(this.lacking.add(data.task_name));
    this.tasks.set(data.task_id, { ...after(known, name, seq, data), touched: performance.now() });
    this.onChange();
    return false;
  }

  mayWant({ task_name: name, status, case_id: caseId }) {
    const wanted = this.filter;
    if (this.pages.mergesTypes) return isShown(name);
    const differs = (asked, has) => asked !== undefined && asked !== has;
    return !differs(wanted.status, status) && !differs(wanted.task_name, name) && !differs(wanted.case_id, caseId);
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
