// The tasks that the reader asked to hear of: how they end is told on whichever page is open, and in the tab's title.

import { byId, element } from "./elements.js";
import { nameOf, text } from "./language.js";
import { onEvent } from "./live.js";
import { toast } from "./parts.js";
import { isFinal } from "./task-state.js";

const KEY = "despacho.watched";
const watched = new Set(JSON.parse(sessionStorage.getItem(KEY) ?? "[]"));

export function isWatched(id) {
  return watched.has(id);
}

export function setWatched(id, wanted) {
  if (wanted) watched.add(id);
  else watched.delete(id);
  sessionStorage.setItem(KEY, JSON.stringify([...watched]));
}

export function startWatching() {
  onEvent((name, seq, data) => {
    if (!watched.has(data.task_id) || !isFinal(data.status)) return;
    setWatched(data.task_id, false);
    tell(data);
  });
}

function tell({ task_id: id, task_name: name, case_id: caseId, status }) {
  const words = text("watch.ended", { task: nameOf("task", name), case: caseId ?? "", status: text(`status.${status}`) });
  toast(words, status === "succeeded" ? "good" : "bad", element("a", { href: `/tasks/${id}` }, text("watch.open")));
  byId("announcer").textContent = words;
}
