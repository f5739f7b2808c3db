// The batches: how the cases of each stand, live, and what can be done with it.

import { callInSession } from "../api.js";
import { childrenBar, pauses } from "../children.js";
import { atMostEvery, element } from "../elements.js";
import { nameOf, text } from "../language.js";
import { onEvent } from "../live.js";
import { badge, confirmed, doButton, emptyState, errorState, keepFocus, pageHead, row, statusMark, table, waitState, when } from "../parts.js";
import { may } from "../session.js";
import { isFinal } from "../task-state.js";

const BATCH = "batch.process_cases";
const CASE = "batch.process_case";
const READ_EVERY_MS = 1_000;

export function show({ root, signal }) {
  const place = element("div", {}, waitState());
  let cursor = null;
  let older = [];
  let newest = [];
  const submit = may("tasks:write") && element("a", { class: "button primary", href: `/submit?task_name=${BATCH}` }, text("batches.submit"));
  root.append(pageHead(text("nav.batches"), submit), place);

  const read = async () => {
    try {
      const page = await callInSession("GET", `/api/tasks?task_name=${BATCH}&limit=50`);
      newest = page.tasks;
      if (!older.length) cursor = page.next_cursor;
    } catch (problem) {
      if (!newest.length) place.replaceChildren(errorState(problem, read));
      return;
    }
    if (!signal.aborted) draw();
  };
  const more = async () => {
    const page = await callInSession("GET", `/api/tasks?task_name=${BATCH}&limit=50&cursor=${encodeURIComponent(cursor)}`);
    older = [...older, ...page.tasks];
    cursor = page.next_cursor;
    draw();
  };
  const draw = () => {
    const known = new Set(newest.map((batch) => batch.task_id));
    const batches = [...newest, ...older.filter((batch) => !known.has(batch.task_id))];
    keepFocus(place, () => place.replaceChildren(...content(batches, soon)));
    if (cursor) place.append(element("p", { class: "more" }, doButton(text("tasks.older"), { class: "quiet" }, more)));
  };
  const soon = atMostEvery(READ_EVERY_MS, () => !signal.aborted && read());
  onEvent((name, seq, { task_name: task }) => (task === BATCH || task === CASE) && soon(), signal);
  read();
}

function content(batches, again) {
  if (!batches.length) return [emptyState(text("batches.none"))];
  const columns = [
    { name: text("batches.batch") },
    { name: text("tasks.status") },
    { name: text("batches.cases"), kind: "wide" },
    { name: text("tasks.created"), kind: "number" },
    { name: text("part.actions"), kind: "do" },
  ];
  const rows = batches.map((batch) => row(columns, cells(batch, again), { "data-task": batch.task_id }));
  return [element("section", { class: "card list", "aria-label": text("nav.batches") }, table(text("nav.batches"), columns, rows))];
}

function cells(batch, again) {
  const paused = pauses(batch) === "resume" ? badge("warn", text("batches.paused")) : null;
  const name = batch.metadata?.name ?? nameOf("task", batch.task_name);
  return [
    element("div", { class: "stacked" }, element("a", { href: `/tasks/${batch.task_id}`, id: `batch-${batch.task_id}` }, name), element("span", { class: "code" }, batch.task_id.slice(-8))),
    element("div", { class: "stacked" }, statusMark(batch.status), paused),
    batch.children ? childrenBar(batch.children) : "",
    when(batch.created_at),
    element("div", { class: "actions" }, actions(batch, again)),
  ];
}

function actions(batch, again) {
  const path = `/api/tasks/${batch.task_id}`;
  const after = (method, way) => async () => {
    await callInSession(method, way);
    again();
  };
  const pause = pauses(batch);
  const made = [element("a", { class: "button small", href: `/tasks?parent_id=${batch.task_id}` }, text("batches.children"))];
  if (may("tasks:payload")) {
    const address = `${path}/results?follow=false`;
    made.push(element("a", { class: "button small", href: address, download: `${batch.task_id}.ndjson` }, text("batches.results")));
  }
  if (pause) made.push(doButton(text(`part.${pause}`), { class: "small", id: `pause-${batch.task_id}` }, after("POST", `${path}/${pause}`)));
  if (may("tasks:write") && !isFinal(batch.status)) {
    const cancel = async () => {
      if (await confirmed(text("panel.cancel"), text("batches.cancel_ask"), text("panel.cancel"))) await after("DELETE", path)();
    };
    made.push(doButton(text("part.cancel"), { class: "small", id: `cancel-${batch.task_id}`, disabled: batch.cancel_requested }, cancel));
  }
  return made;
}
