// A task as the page knows it: its record, carried on by the events that came since.

export const STATUSES = ["scheduled", "queued", "running", "retrying", "succeeded", "failed", "cancelled"];
const FINAL = new Set(["succeeded", "failed", "cancelled"]);

export function isFinal(status) {
  return FINAL.has(status);
}

// What an event alone says of a task that has no record here yet.
export function fromEvent(data) {
  const { task_id, task_name, case_id, status, at } = data;
  return { task_id, task_name, case_id, status, created_at: at, progress: 0, progress_message: "", seq: 0 };
}

// The task after an event. Old news change nothing.
export function after(task, name, seq, data) {
  if (seq <= (task.seq ?? 0)) return task;
  const moved = { ...task, seq, status: data.status, attempt: data.attempt || task.attempt };
  return { ...moved, ...(CHANGES[data.status === "running" ? name : data.status] ?? (() => ({})))(data, task) };
}

const CHANGES = {
  queued: (data) => ({ ...fresh(), queued_at: data.at, eta: null }),
  scheduled: (data) => ({ ...fresh(), eta: data.eta ?? null }),
  running: (data, task) => ({
    ...fresh(),
    started_at: data.at,
    wait_ms: between(task.queued_at ?? task.created_at, data.at),
  }),
  progress: (data) => ({ progress: data.progress, progress_message: data.progress_message }),
  retrying: (data, task) => ({ error: data.error ?? task.error, eta: data.eta ?? null }),
  succeeded: (data, task) => ({ ...ended(data, task), progress: 100, result: data.result ?? task.result }),
  failed: (data, task) => ({ ...ended(data, task), error: data.error ?? task.error }),
  cancelled: (data, task) => ended(data, task),
};

function fresh() {
  return { progress: 0, progress_message: "", error: null, finished_at: null, run_ms: null, cancel_requested: false };
}

function ended(data, task) {
  return { finished_at: data.at, run_ms: between(task.started_at, data.at), cancel_requested: false };
}

function between(from, to) {
  return from ? Math.max(0, Date.parse(to) - Date.parse(from)) : null;
}
