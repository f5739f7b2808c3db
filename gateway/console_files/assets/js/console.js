// The console: the frame around the pages, who is logged in, what the service can do, and the one live stream.

import { call } from "./api.js";
import { byId, element } from "./elements.js";
import { has, readFeatures } from "./features.js";
import { startKeyboard, tellShortcuts } from "./keyboard.js";
import { onLanguage, startLanguage, text } from "./language.js";
import { onLiveState, startLive } from "./live.js";
import * as batches from "./pages/batches.js";
import * as deadLetters from "./pages/dead-letters.js";
import * as overview from "./pages/overview.js";
import * as reports from "./pages/reports.js";
import * as schedules from "./pages/schedules.js";
import * as submit from "./pages/submit.js";
import * as task from "./pages/task.js";
import * as tasks from "./pages/tasks.js";
import { errorState, keepTimes } from "./parts.js";
import { reopen, route, startRouter } from "./router.js";
import { may, readSession, tenant } from "./session.js";
import { startTheme } from "./theme.js";
import { startWatching } from "./watch.js";

// In the order of the navigation; `needs` are a scope and an operation without which a page is not there.
const PAGES = [
  { name: "overview", path: "/", key: "o", module: overview, needs: ["tasks:read"] },
  { name: "tasks", path: "/tasks", key: "t", module: tasks, needs: ["tasks:read"] },
  { name: "batches", path: "/batches", key: "b", module: batches, needs: ["tasks:read"] },
  { name: "dead", path: "/dead-letters", key: "d", module: deadLetters, needs: ["ops:read", "GET /api/dead-letters"] },
  { name: "schedules", path: "/schedules", key: "s", module: schedules, needs: ["ops:read", "GET /api/schedules"] },
  { name: "reports", path: "/reports", key: "r", module: reports, needs: ["ops:read"] },
  { name: "submit", path: "/submit", key: "n", module: submit, needs: ["tasks:write"] },
];

function isThere({ needs: [scope, operation] }) {
  return may(scope) && (operation === undefined || has(operation));
}

function pages() {
  return PAGES.filter(isThere);
}

// ----------------------------------------------------------------------------------------------- the frame

let shown = "";

function drawLinks() {
  const links = pages().map(({ name, path }) => {
    const here = name === shown || (name === "tasks" && shown === "task");
    return element("li", {}, element("a", { href: path, "aria-current": here ? "page" : null }, text(`nav.${name}`)));
  });
  byId("links").replaceChildren(...links);
}

function tellState(state) {
  const live = byId("live");
  live.dataset.state = state;
  live.firstElementChild.textContent = text(`live.${state}`);
}

function openMenu(open) {
  byId("menu").setAttribute("aria-expanded", String(open));
  document.body.classList.toggle("menu-open", open);
}

function startFrame() {
  byId("tenant").textContent = tenant();
  byId("tenant").hidden = false;
  byId("dramatiq").hidden = !may("ops:write");
  byId("logout").addEventListener("click", logOut);
  byId("shortcuts").addEventListener("click", () => tellShortcuts(pages()));
  byId("menu").addEventListener("click", () => openMenu(byId("menu").getAttribute("aria-expanded") !== "true"));
  document.addEventListener("keydown", (event) => event.key === "Escape" && openMenu(false));
  startKeyboard(pages);
}

async function logOut() {
  await call("POST", "/api/session/end").catch(() => null);
  location.assign("/login");
}

// ----------------------------------------------------------------------------------------------- the pages

function told({ name, first }) {
  shown = name;
  openMenu(false);
  drawLinks();
  const title = text(name === "lost" ? "console.lost" : `nav.${name}`);
  document.title = `${title} · Despacho`;
  if (name === "lost") byId("page").append(element("h1", { tabindex: "-1" }, title));
  if (!first) byId("announcer").textContent = title;
}

// Links from before pages had addresses of their own, as they stand in old messages: `/#/tasks/<id>`.
function followOldLink() {
  const found = /^#(\/tasks\/[0-9a-f-]{36})$/.exec(location.hash);
  if (found) history.replaceState(null, "", found[1]);
}

function startPages() {
  followOldLink();
  for (const { name, path, module } of pages()) route(name, path, module.show);
  if (may("tasks:read")) route("task", "/tasks/{id}", task.show);
  startRouter(byId("page"), told);
}

async function start() {
  startLanguage(byId("language"));
  startTheme(byId("theme"));
  try {
    await Promise.all([readSession(), readFeatures()]);
  } catch (problem) {
    byId("page").append(errorState(problem, () => location.reload()));
    return;
  }
  startFrame();
  if (may("tasks:read")) {
    startWatching();
    startLive();
  }
  onLiveState(tellState);
  startPages();
  keepTimes();
  onLanguage(() => {
    tellState(byId("live").dataset.state);
    reopen();
  });
}

start();
