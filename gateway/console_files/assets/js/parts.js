// The parts that pages are made of: headings, cards, tables, states, times, and buttons that do something.

import { button, byId, element } from "./elements.js";
import { exactMoment, percent, relative } from "./formats.js";
import { text } from "./language.js";

export function pageHead(title, ...beside) {
  const heading = element("h1", { tabindex: "-1" }, title);
  return element("header", { class: "page-head" }, heading, element("div", { class: "beside" }, beside));
}

let cards = 0;

// A titled section. `note` is small print beside the title.
export function card(title, note, ...content) {
  const id = `card-${++cards}`;
  const beside = note instanceof Node ? note : element("p", { class: "note" }, note ?? "");
  const head = element("header", {}, element("h2", { id }, title), beside);
  return element("section", { class: "card", "aria-labelledby": id }, head, content);
}

export function statusMark(status) {
  return element("span", { class: "status", "data-status": status }, text(`status.${status}`));
}

// A coloured word: `tone` is good, warn, bad or calm.
export function badge(tone, words) {
  return element("span", { class: "badge", "data-tone": tone }, words);
}

// A moment as a distance from now, kept up to date; the exact one on hover.
export function when(iso) {
  if (!iso) return element("span", { class: "nothing" }, "–");
  return element("time", { datetime: iso, title: exactMoment(iso), "data-relative": true }, relative(iso));
}

export function keepTimes() {
  setInterval(() => {
    if (document.hidden) return;
    for (const time of document.querySelectorAll("time[data-relative]")) time.textContent = relative(time.dateTime);
  }, 5_000);
}

export function bar(value, label) {
  return element(
    "div",
    { class: "going" },
    element("progress", { max: 100, value, "aria-label": label }),
    element("span", { class: "percent" }, percent(value)),
  );
}

export function emptyState(words, ...actions) {
  return element("div", { class: "empty" }, element("p", {}, words), actions);
}

// What to show in place of something that couldn't be read. `again` reads it once more.
export function errorState(problem, again) {
  const words = element("p", {}, problem.explanation ?? String(problem));
  return element("div", { class: "empty failed", role: "alert" }, words, button(text("part.again"), {}, again));
}

export function waitState() {
  return element("p", { class: "empty", "aria-busy": "true" }, text("part.reading"));
}

// `columns` are [{name, kind}] with kind "number" for figures; `rows` are <tr>. On narrow screens each row is a card.
export function table(caption, columns, rows) {
  const heads = columns.map(({ name, kind }) => element("th", { scope: "col", class: kind }, name));
  return element(
    "table",
    { class: "stack" },
    element("caption", { class: "unseen" }, caption),
    element("thead", {}, element("tr", {}, heads)),
    element("tbody", {}, rows),
  );
}

export function row(columns, cells, attributes = {}) {
  const filled = cells.map((content, place) => {
    const { name, kind } = columns[place];
    if (place === 0) return element("th", { scope: "row" }, content);
    return element("td", { class: kind, "data-name": name }, content);
  });
  return element("tr", attributes, filled);
}

// A button that does something over the network: it can't be pressed twice, and what went wrong is told.
export function doButton(label, attributes, action) {
  const made = button(label, attributes, async () => {
    made.disabled = true;
    try {
      await action();
    } catch (problem) {
      toast(problem.explanation ?? String(problem), "bad");
    } finally {
      made.disabled = false;
    }
  });
  return made;
}

export function toast(words, tone = "good", link = null) {
  const shown = element("div", { class: "toast", "data-tone": tone }, element("p", {}, words, link && " ", link));
  shown.append(button(text("part.close"), { class: "quiet" }, () => shown.remove()));
  byId("toasts").append(shown);
  setTimeout(() => shown.remove(), 12_000);
}

// Asks before something that can't be taken back; resolves to whether it was wanted.
export function confirmed(title, words, verb) {
  return new Promise((resolve) => {
    const id = `ask-${++cards}`;
    const no = button(text("part.no"), {}, () => dialog.close());
    const yes = button(verb, { class: "primary danger" }, () => dialog.close("yes"));
    const foot = element("div", { class: "buttons" }, no, yes);
    const dialog = element("dialog", { "aria-labelledby": id }, element("h2", { id }, title), element("p", {}, words), foot);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

// Draws anew; a button or link that had the focus has it again, found by its id.
export function keepFocus(place, draw) {
  const { id } = place.contains(document.activeElement) ? document.activeElement : {};
  draw();
  if (id) document.getElementById(id)?.focus();
}

// Runs `action` now and every `ms` while the page is open and looked at.
export function whileSeen(ms, action, signal) {
  const seen = () => !document.hidden && action();
  const timer = setInterval(seen, ms);
  document.addEventListener("visibilitychange", seen, { signal });
  signal.addEventListener("abort", () => clearInterval(timer));
  action();
}

// A labelled field.
export function field(label, input, hint = null) {
  input.id ||= `field-${++cards}`;
  const told = hint && element("span", { class: "hint", id: `${input.id}-hint` }, hint);
  if (told) input.setAttribute("aria-describedby", told.id);
  return element("p", { class: "field" }, element("label", { for: input.id }, label), input, told);
}

// `options` are [[value, words]].
export function select(options, value, attributes = {}) {
  const made = element("select", attributes, options.map(([code, words]) => element("option", { value: code }, words)));
  made.value = value;
  return made;
}
