// The queues with their lanes: what waits, runs, is delayed or dead, and how long the last hour's tasks took.

import { callInSession } from "../api.js";
import { element } from "../elements.js";
import { duration, number } from "../formats.js";
import { text } from "../language.js";
import { badge, card, doButton } from "../parts.js";
import { may } from "../session.js";

const LANES = ["critical", "high", "normal", "low"];
const QUANTILES = ["p50", "p95", "p99"];
const TIMES = { wait_ms: "wait", run_ms: "run" };

export function drawQueues(place, queues, again) {
  const drawn = JSON.stringify(Object.values(queues).map((queue) => queue.paused));
  // A button or link that has the focus isn't taken away from under the finger.
  const held = place.contains(document.activeElement) && document.activeElement.matches("button:enabled, a");
  if (held && place.dataset.drawn === drawn) return;
  place.dataset.drawn = drawn;
  const rows = Object.entries(queues).map(([queue, figures]) => queueRow(queue, figures, again));
  const scrolled = element("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": text("queues.title") });
  scrolled.append(element("table", { class: "queues" }, queueHead(), element("tbody", {}, rows)));
  place.replaceChildren(card(text("queues.title"), text("overview.hour"), scrolled));
}

function queueHead() {
  const tall = (name) => element("th", { scope: "col", rowspan: 2 }, text(`queues.${name}`));
  const wide = (name, span) => element("th", { scope: "colgroup", colspan: span, class: "group" }, text(`queues.${name}`));
  const low = (words, first) => element("th", { scope: "col", class: first ? "first" : null }, words);
  const quantiles = QUANTILES.map((name, at) => [name, at === 0]);
  return element(
    "thead",
    {},
    element("tr", {}, [
      ...[tall("queue"), wide("waiting", 4), tall("oldest"), tall("running"), tall("scheduled"), tall("dead")],
      ...[wide("wait", 3), wide("run", 3)],
    ]),
    element("tr", {}, [
      ...LANES.map((lane, at) => low(text(`priority.${lane}`), at === 0)),
      ...[...quantiles, ...quantiles].map(([name, first]) => low(name, first)),
    ]),
  );
}

function queueRow(queue, figures, again) {
  const paused = figures.paused ? badge("warn", text("queues.paused")) : null;
  const link = element("a", { href: `/tasks?queue=${queue}` }, queue);
  const pause = may("ops:write") && pauseButton(queue, figures.paused, again);
  return element(
    "tr",
    { "data-queue": queue },
    element("th", { scope: "row" }, element("div", { class: "queue" }, link, paused, pause)),
    LANES.map((lane, at) => counted(text(`priority.${lane}`), figures.waiting[lane], at === 0)),
    timed(text("queues.oldest"), figures.oldest_waiting_ms, true),
    counted(text("queues.running"), figures.running),
    counted(text("queues.scheduled"), figures.scheduled),
    deadCell(queue, figures.dead),
    Object.entries(TIMES).flatMap(([field, name]) =>
      QUANTILES.map((quantile, at) => timed(`${text(`queues.${name}`)} ${quantile}`, figures[field][quantile], at === 0)),
    ),
  );
}

function pauseButton(queue, paused, again) {
  const verb = paused ? "resume" : "pause";
  const label = text(`queues.${verb}_it`, { queue });
  return doButton(text(`part.${verb}`), { class: "quiet small", "aria-label": label }, async () => {
    await callInSession("POST", `/api/queues/${queue}/${verb}`);
    await again();
  });
}

// On narrow screens a cell stands by itself, with its name, unless it has nothing to tell.
function cell(name, content, isNothing, isFirst = false) {
  const kinds = [isFirst && "first", isNothing && "zero"].filter(Boolean).join(" ");
  return element("td", { class: kinds || null, "data-name": name }, content);
}

function counted(name, count, isFirst) {
  return cell(name, number(count), !count, isFirst);
}

function timed(name, ms, isFirst) {
  return cell(name, duration(ms), ms === null, isFirst);
}

function deadCell(queue, dead) {
  const shown = dead && may("ops:read") ? element("a", { href: `/dead-letters?queue=${queue}` }, number(dead)) : number(dead);
  const made = cell(text("queues.dead"), shown, !dead);
  made.classList.toggle("dead-some", dead > 0);
  return made;
}
