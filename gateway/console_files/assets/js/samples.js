// What ended in the last quarter of an hour, from the stream and, once, from the list: the ground of the plots.

import { callInSession } from "./api.js";
import { onEvent } from "./live.js";
import { isFinal } from "./task-state.js";

const SPAN_MS = 15 * 60_000;
const BUCKET_MS = 15_000;
const AT_MOST = 20_000;

// Before this moment not all ends are known, for the list was read only so far back.
let knownFrom = 0;
const ends = new Map();
const begun = new Map();

export function startSamples() {
  onEvent(hear);
}

function hear(name, seq, data) {
  const at = Date.parse(data.at);
  const id = data.task_id;
  if (name === "queued") begun.set(id, { queued: at });
  else if (name === "running") begun.set(id, { ...begun.get(id), started: at });
  else if (isFinal(data.status)) end(id, at, data);
  bound(begun);
}

function end(id, at, { status }) {
  const { queued, started } = begun.get(id) ?? {};
  begun.delete(id);
  const known = ends.get(id);
  const wait = queued && started ? started - queued : (known?.wait ?? null);
  const run = started ? at - started : (known?.run ?? null);
  ends.set(id, { at, status, wait, run });
  bound(ends);
}

// What ended before this page was opened.
export async function readBefore() {
  const states = ["succeeded", "failed"];
  const pages = await Promise.all(states.map((state) => callInSession("GET", `/api/tasks?status=${state}&limit=200`)));
  const cut = pages.filter((page) => page.next_cursor).map(({ tasks }) => Math.min(...tasks.map(finished)));
  knownFrom ||= Math.max(0, ...cut);
  for (const { task_id: id, finished_at: at, status, wait_ms: wait, run_ms: run } of pages.flatMap(({ tasks }) => tasks)) {
    const known = ends.get(id);
    if (at && (known?.run ?? null) === null) ends.set(id, { at: Date.parse(at), status, wait, run });
  }
}

function finished({ finished_at: at }) {
  return Date.parse(at);
}

function bound(map) {
  while (map.size > AT_MOST) map.delete(map.keys().next().value);
}

// `{from, step, buckets, unknown}`; of the first `unknown` buckets not all is known. A bucket has the counts of its ends, and p50, p95 and p99 of wait and run in ms, or nulls.
export function series(now = Date.now()) {
  const until = Math.ceil(now / BUCKET_MS) * BUCKET_MS;
  const from = until - SPAN_MS;
  const grouped = Array.from({ length: SPAN_MS / BUCKET_MS }, () => []);
  for (const [id, sample] of ends) {
    if (sample.at < from) ends.delete(id);
    else grouped[Math.min(grouped.length - 1, Math.floor((sample.at - from) / BUCKET_MS))].push(sample);
  }
  const unknown = Math.max(0, Math.min(grouped.length, Math.floor((knownFrom - from) / BUCKET_MS)));
  return { from, step: BUCKET_MS, buckets: grouped.map(summed), unknown };
}

function summed(samples) {
  const count = (status) => samples.filter((sample) => sample.status === status).length;
  return {
    succeeded: count("succeeded"),
    failed: count("failed"),
    wait: quantiles(samples.map(({ wait }) => wait)),
    run: quantiles(samples.map(({ run }) => run)),
  };
}

function quantiles(values) {
  const sorted = values.filter((value) => value !== null).sort((a, b) => a - b);
  const at = (part) => sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? null;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}
