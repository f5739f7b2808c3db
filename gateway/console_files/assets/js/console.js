// The console: puts the overview, the list, the panel and the form together and feeds them from one stream.
//
// The address says which task is open (`#/tasks/<id>`), so that a link to a task can be passed on.

import { call, callInSession } from "./api.js";
import { atMostEvery, byId, perFrame } from "./elements.js";
import { onLanguage, startLanguage, text } from "./language.js";
import { LiveStream } from "./live-stream.js";
import { Overview } from "./overview.js";
import { forget, may, tenant } from "./session.js";
import { TaskList } from "./task-list.js";
import { TaskPanel } from "./task-panel.js";
import { isFinal } from "./task-state.js";
import { TaskStore } from "./task-store.js";
import { TriageForm } from "./triage-form.js";

const OVERVIEW_EVERY_MS = 5_000;
const OVERLAY = matchMedia("(max-width: 1100px)");

const store = new TaskStore(perFrame(() => list.render()));
const list = new TaskList(store);
const panel = new TaskPanel(() => showTask(null));
const overview = new Overview((status) => quietly(store.filter(status)));
const refreshList = atMostEvery(1_000, () => quietly(store.refresh()));
const refreshOverview = atMostEvery(1_000, () => quietly(overview.refresh()));
const own = new Map();
const stream = new LiveStream("/api/events", { onEvent: hear, onState: tellState, isOver: sessionHolds });

function hear(name, seq, data) {
  if (store.apply(name, seq, data)) refreshList();
  if (data.task_id === panel.id) panel.heardElsewhere(data.status);
  if (name === "progress") return;
  refreshOverview();
  if (isFinal(data.status)) announce(data);
}

// Read aloud only how the reader's own tasks end.
function announce({ task_id: id, status }) {
  if (!own.has(id)) return;
  byId("announcer").textContent = text("submit.ended", { case: own.get(id), status: text(`status.${status}`) });
  own.delete(id);
}

// An outage shows in the state of the stream; what failed in it is tried again with the next event or tick.
async function quietly(reading) {
  try {
    return await reading;
  } catch {
    return null;
  }
}

// The stream goes on from the first event of the newest task in the list: everything older is in the list already.
async function start() {
  await quietly(store.refresh());
  const [newest] = store.visible;
  const log = newest && (await quietly(callInSession("GET", `/api/tasks/${newest.task_id}/log`)));
  stream.open(log?.events[0]?.id ?? null);
}

// Leads to the login where the session has ended; the tenant's stream itself is never over.
async function sessionHolds() {
  await callInSession("GET", "/api/tasks?limit=1");
  refreshList();
  return false;
}

function tellState(state) {
  const live = byId("live");
  live.dataset.state = state;
  live.firstElementChild.textContent = text(`live.${state}`);
}

// --------------------------------------------------------------------------------------------- the panel

function taskInAddress() {
  return /^#\/tasks\/([0-9a-f-]{36})$/.exec(location.hash)?.[1] ?? null;
}

function showTask(id) {
  if (id !== null) location.hash = `#/tasks/${id}`;
  else history.pushState(null, "", location.pathname);
  route();
}

function route() {
  const id = taskInAddress();
  if (id === panel.id) return;
  const closed = panel.id;
  if (id === null) panel.close();
  else panel.open(id);
  document.body.classList.toggle("panel-open", id !== null);
  coverPage();
  list.mark(id);
  if (id === null) list.focus(closed);
}

// What lies under a panel that covers it can't be reached by the keyboard either.
function coverPage() {
  const covered = panel.id !== null && OVERLAY.matches;
  for (const part of document.querySelectorAll(".bar, main, .side")) part.inert = covered;
}

// ----------------------------------------------------------------------------------------------- the bar

async function logOut() {
  await quietly(call("POST", "/api/session/end"));
  forget();
  location.assign("/login");
}

function showRights() {
  byId("tenant").textContent = tenant() ?? "";
  byId("tenant").hidden = tenant() === null;
  byId("dramatiq").hidden = !may("ops:write");
  byId("submit").closest("section").hidden = !may("tasks:write");
}

startLanguage(byId("language"));
tellState("connecting");
showRights();
new TriageForm((taskId, caseId) => own.set(taskId, caseId));
byId("logout").addEventListener("click", logOut);
OVERLAY.addEventListener("change", coverPage);
addEventListener("hashchange", route);
addEventListener("popstate", route);
onLanguage(() => {
  tellState(byId("live").dataset.state);
  list.render();
});
setInterval(() => document.hidden || refreshOverview(), OVERVIEW_EVERY_MS);
refreshOverview();
start();
route();
