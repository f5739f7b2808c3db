// The tasks that the reader asked to hear of: how they end is told on whichever page is open, and in the tab's title.

import { byId, element } from "./elements.js";
import { nameOf, text } from "./language.js";
import { onEvent } from "./live.js";
import { toast } from "./parts.js";
import { isFinal } from "./task-state.js";

const KEY = "despacho.watched";
const ENDS_KEPT = 500;
const watched = new Set(JSON.parse(sessionStorage.getItem(KEY) ?? "[]"));
// A task may end before the answer to its submit has come: the latest ends that nobody had asked to hear of yet.
const ends = new Map();

export function isWatched(id) {
  return watched.has(id);
}

export function setWatched(id, wanted) {
  const end = wanted && ends.get(id);
  if (end) return hear(end);
  if (wanted) watched.add(id);
  else watched.delete(id);
  sessionStorage.setItem(KEY, JSON.stringify([...watched]));
}

export function startWatching() {
  onEvent((name, seq, data) => {
    // One that runs again has another end to come.
    if (!isFinal(data.status)) ends.delete(data.task_id);
    else if (watched.has(data.task_id)) hear(data);
    else keep(data);
  });
}

function hear(end) {
  setWatched(end.task_id, false);
  tell(end);
}

function keep(end) {
  ends.set(end.task_id, end);
  if (ends.size > ENDS_KEPT) ends.delete(ends.keys().next().value);
}

function tell({ task_id: id, task_name: name, case_id: caseId, status }) {
  const words = text("watch.ended", { task: nameOf("task", name), case: caseId ?? "", status: text(`status.${status}`) });
  toast(words, status === "succeeded" ? "good" : "bad", element("a", { href: `/tasks/${id}` }, text("watch.open")));
  byId("announcer").textContent = words;
}
