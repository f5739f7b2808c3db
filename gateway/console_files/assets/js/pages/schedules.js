// What runs by the clock: when it ran last and will run next; it can be run now, paused and resumed.

import { callInSession } from "../api.js";
import { cronWords } from "../cron-words.js";
import { element } from "../elements.js";
import { moment, number } from "../formats.js";
import { nameOf, text } from "../language.js";
import { badge, card, doButton, emptyState, errorState, keepFocus, pageHead, row, statusMark, table, toast, waitState, when, whileSeen } from "../parts.js";
import { may } from "../session.js";

const READ_EVERY_MS = 15_000;

export function show({ root, signal }) {
  const place = element("div", {}, waitState());
  root.append(pageHead(text("nav.schedules")), place);
  const read = async () => {
    try {
      const { schedules } = await callInSession("GET", "/api/schedules");
      if (!signal.aborted) keepFocus(place, () => place.replaceChildren(content(schedules, read)));
    } catch (problem) {
      place.replaceChildren(errorState(problem, read));
    }
  };
  whileSeen(READ_EVERY_MS, read, signal);
}

function content(schedules, again) {
  if (!schedules.length) return emptyState(text("schedules.none"));
  const columns = [
    { name: text("schedules.name") },
    { name: text("schedules.cron") },
    { name: text("schedules.next"), kind: "number" },
    { name: text("schedules.last"), kind: "number" },
    { name: text("part.actions"), kind: "do" },
  ];
  const rows = schedules.map((schedule) => row(columns, cells(schedule, again), { "data-schedule": schedule.name }));
  return card(text("nav.schedules"), schedules[0].time_zone, table(text("nav.schedules"), columns, rows));
}

function cells(schedule, again) {
  const { name, task_name: task, cron, next_at: next, last_at: last, last_status: status, paused, missed, overdue } = schedule;
  const trouble = [
    overdue && badge("bad", text("schedules.overdue")),
    missed > 0 && badge("warn", text("schedules.missed", { n: number(missed) })),
  ];
  return [
    element("div", { class: "stacked" }, element("span", {}, name), element("span", { class: "note" }, nameOf("task", task))),
    element("div", { class: "stacked" }, element("span", {}, cron === "off" ? text("schedules.off") : cronWords(cron)), element("span", { class: "code note" }, cron)),
    element("div", { class: "stacked" }, paused ? badge("warn", text("schedules.paused")) : when(next), !paused && next && element("span", { class: "note" }, moment(next, schedule.time_zone)), trouble),
    element("div", { class: "stacked" }, lastRun(schedule), status && statusMark(status)),
    element("div", { class: "actions" }, may("ops:write") && actions(name, paused, again)),
  ];
}

// How it went is told in full by the task that it queued.
function lastRun({ last_at: at, last_task_id: id }) {
  return id && at ? element("a", { href: `/tasks/${id}` }, when(at)) : when(at);
}

function actions(name, paused, again) {
  const ask = (verb) => async () => {
    const answer = await callInSession("POST", `/api/schedules/${encodeURIComponent(name)}/${verb}`);
    const link = answer?.task_id && element("a", { href: `/tasks/${answer.task_id}` }, text("watch.open"));
    if (verb === "run") toast(text("schedules.started", { name }), "good", link);
    await again();
  };
  const turn = paused ? "resume" : "pause";
  return [
    doButton(text("schedules.run"), { class: "small", id: `run-${name}`, "aria-label": `${text("schedules.run")}: ${name}` }, ask("run")),
    doButton(text(`part.${turn}`), { class: "small quiet", id: `turn-${name}`, "aria-label": `${text(`part.${turn}`)}: ${name}` }, ask(turn)),
  ];
}
