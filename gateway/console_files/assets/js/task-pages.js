// Reads the list from the API, a page at a time, newest first.
//
// Without a status the list shows what clients queue: a batch is one row, and its thousands of cases would bury
// everything else. So the newest tasks of each type are read and merged. With a status it shows every task that has
// it, cases of batches too, because there the reader looks for something.

import { callInSession } from "./api.js";

export const PAGE = 50;
let types = null;

// The names of the task types that clients can queue.
async function clientTypes() {
  types ??= (await callInSession("GET", "/api/task-types")).task_types.map((type) => type.task_name);
  return types;
}

// Whether the list without a status shows tasks of this type. Unknown until the first page was read.
export function isShown(taskName) {
  return types?.includes(taskName) ?? false;
}

export class TaskPages {
  constructor(status) {
    this.status = status;
    this.cursors = new Map();
  }

  get hasOlder() {
    return [...this.cursors.values()].some((cursor) => cursor !== null);
  }

  async newest() {
    const filters = this.status === null ? await clientTypes() : [null];
    return this.read(filters.map((type) => [type, null]));
  }

  async older() {
    return this.read([...this.cursors].filter(([, cursor]) => cursor !== null));
  }

  async read(places) {
    const pages = await Promise.all(places.map(([type, cursor]) => this.page(type, cursor)));
    return pages.flatMap((page) => page.tasks);
  }

  async page(type, cursor) {
    const query = new URLSearchParams({ limit: PAGE });
    if (this.status !== null) query.set("status", this.status);
    if (type !== null) query.set("task_name", type);
    if (cursor !== null) query.set("cursor", cursor);
    const page = await callInSession("GET", `/api/tasks?${query}`);
    // Reading the newest page again does not forget how far back the reader went.
    if (cursor !== null || !this.cursors.has(type)) this.cursors.set(type, page.next_cursor);
    return page;
  }
}
