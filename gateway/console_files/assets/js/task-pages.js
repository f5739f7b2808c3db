// Reads the list from the API, a page at a time, newest first.
//
// Unless the filter names something, the list shows what clients queue: a batch is one row, and its thousands of cases
// would bury everything else. So the newest tasks of each type are read and merged. With a filter every task that
// matches is shown, cases of batches too, because there the reader looks for something.

import { callInSession } from "./api.js";

export const PAGE = 50;
let types = null;

// The task types that clients can queue, as the API tells them.
export async function taskTypes() {
  types ??= (await callInSession("GET", "/api/task-types")).task_types;
  return types;
}

// Whether the list without a filter shows tasks of this type. Unknown until the first page was read.
export function isShown(taskName) {
  return types?.some((type) => type.task_name === taskName) ?? false;
}

export class TaskPages {
  // `filter` has the parameters of `GET /api/tasks`.
  constructor(filter) {
    this.filter = filter;
    this.cursors = new Map();
  }

  get mergesTypes() {
    const { status, task_name: name, case_id: caseId, parent_id: parentId } = this.filter;
    return !status && !name && !caseId && !parentId;
  }

  get hasOlder() {
    return [...this.cursors.values()].some((cursor) => cursor !== null);
  }

  // The newest page; where types are merged, of these types alone, or of all.
  async newest(only = null) {
    const names = (await taskTypes()).map((type) => type.task_name);
    const wanted = this.mergesTypes ? names.filter((name) => only === null || only.has(name)) : [null];
    return this.read(wanted.map((type) => [type, null]));
  }

  async older() {
    return this.read([...this.cursors].filter(([, cursor]) => cursor !== null));
  }

  async read(places) {
    const pages = await Promise.all(places.map(([type, cursor]) => this.page(type, cursor)));
    return pages.flatMap((page) => page.tasks);
  }

  async page(type, cursor) {
    const query = new URLSearchParams({ ...this.filter, limit: PAGE });
    if (type !== null) query.set("task_name", type);
    if (cursor !== null) query.set("cursor", cursor);
    const page = await callInSession("GET", `/api/tasks?${query}`);
    // Reading the newest page again does not forget how far back the reader went.
    if (cursor !== null || !this.cursors.has(type)) this.cursors.set(type, page.next_cursor);
    return page;
  }
}
