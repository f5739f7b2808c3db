// The live rows of tasks, changed in place, so that a bar moves and the focus stays where it is.

import { element } from "./elements.js";
import { duration, exactMoment, moment, percent, relative } from "./formats.js";
import { nameOf, text } from "./language.js";
import { urgency } from "./triage-result.js";

const FRESH_MS = 10_000;
const POINTED_OUT = 5;
const COLUMNS = ["status", "task", "priority", "progress", "wait", "run", "created"];
const FIGURES = new Set(["wait", "run", "created"]);

export class TaskRows {
  constructor() {
    this.rows = new Map();
    this.body = element("tbody");
    const heads = COLUMNS.map((name) =>
      element("th", { scope: "col", class: FIGURES.has(name) ? "number" : null }, text(`tasks.${name}`)),
    );
    const caption = element("caption", { class: "unseen" }, text("tasks.title"));
    this.element = element("table", { class: "tasks" }, caption, element("thead", {}, element("tr", {}, heads)), this.body);
    this.body.addEventListener("click", (event) => follow(event));
  }

  render(tasks) {
    this.element.hidden = tasks.length === 0;
    this.dropOthers(tasks);
    // A few that arrive are pointed out; where all are new, that would only flicker.
    const arriving = tasks.filter((task) => !this.rows.has(task.task_id)).length;
    this.pointsOut = this.rows.size > 0 && arriving <= POINTED_OUT;
    tasks.forEach((task, place) => this.place(this.row(task), place));
  }

  dropOthers(tasks) {
    const wanted = new Set(tasks.map((task) => task.task_id));
    for (const [id, row] of this.rows) {
      if (wanted.has(id)) continue;
      row.remove();
      this.rows.delete(id);
    }
  }

  row(task) {
    const row = this.rows.get(task.task_id) ?? this.newRow(task);
    if (row.task !== task) fillRow(row, task);
    row.task = task;
    return row;
  }

  newRow({ task_id: id, created_at: created }) {
    const fresh = this.pointsOut && Date.now() - Date.parse(created) < FRESH_MS;
    const row = element("tr", { class: fresh ? "new" : null, "data-task": id });
    row.append(
      element("td", {}, element("span", { class: "status" })),
      element("td", {}, element("a", { href: `/tasks/${id}` }), element("span", { class: "case" })),
      element("td"),
      element("td"),
      element("td", { class: "number" }),
      element("td", { class: "number" }),
      element("td", { class: "number" }, element("time", { "data-relative": true })),
    );
    this.rows.set(id, row);
    return row;
  }

  place(row, place) {
    const there = this.body.children[place];
    if (there !== row) this.body.insertBefore(row, there ?? null);
  }
}

// A click anywhere on a row follows its link, unless words are being marked.
function follow(event) {
  const row = event.target.closest("tr");
  if (row && !event.target.closest("a") && getSelection().isCollapsed) row.querySelector("a").click();
}

function fillRow(row, task) {
  const [status, name, priority, progress, wait, run, created] = row.children;
  status.firstChild.dataset.status = task.status;
  status.firstChild.textContent = text(`status.${task.status}`);
  name.firstChild.textContent = nameOf("task", task.task_name);
  name.lastChild.textContent = task.case_id ?? task.metadata?.name ?? "";
  priority.textContent = task.priority ? text(`priority.${task.priority}`) : "";
  priority.className = `priority-${task.priority}`;
  fillProgress(progress, task);
  wait.textContent = duration(task.wait_ms);
  run.textContent = task.status === "running" ? "…" : duration(task.run_ms);
  fillTime(created.firstChild, task.created_at);
}

function fillTime(time, iso) {
  time.dateTime = iso;
  time.title = exactMoment(iso);
  time.textContent = relative(iso);
}

function fillProgress(cell, task) {
  if (task.status === "running") return fillBar(cell, task);
  const { className, words } = outcome(task);
  cell.replaceChildren(element("span", { class: className, title: words }, words));
}

function fillBar(cell, task) {
  if (!cell.querySelector("progress")) {
    const bar = element("progress", { max: 100, "aria-label": text("tasks.progress") });
    const going = element("div", { class: "going" }, bar, element("span", { class: "percent" }));
    cell.replaceChildren(going, element("span", { class: "doing" }));
  }
  cell.querySelector("progress").value = task.progress;
  cell.querySelector(".percent").textContent = percent(task.progress);
  cell.querySelector(".doing").textContent = task.progress_message;
}

// What a task that is not running has to say for itself, in a few words.
function outcome(task) {
  if (task.status === "failed") return { className: "bad", words: explained(task.error) };
  if (task.status === "retrying" || task.status === "scheduled") return { className: "plain", words: due(task) };
  if (task.status === "succeeded") return { className: "", words: finding(task) };
  return { className: "plain", words: "" };
}

function explained(error) {
  return [error?.type, error?.message].filter(Boolean).join(": ");
}

function due({ eta, status, error }) {
  const at = eta ? text("tasks.due", { at: moment(eta) }) : "";
  return [at, status === "retrying" && explained(error)].filter(Boolean).join(" · ");
}

function finding({ result }) {
  if (result?.area) return `${nameOf("area", result.area)} · ${urgency(result.urgency)}`;
  if (result?.total) return text("tasks.batch", result);
  return "";
}
