// The shortcuts: `g` and a letter goes to a page, `/` to the search, `?` tells them all. None works while typing.

import { button, element } from "./elements.js";
import { text } from "./language.js";
import { navigate } from "./router.js";

let leading = 0;

// `pages` are [{name, path, key}].
export function startKeyboard(pages) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    if (press(event.key, pages())) event.preventDefault();
  });
}

function press(key, pages) {
  if (key === "?") return tellShortcuts(pages);
  if (key === "/") return focusSearch();
  const led = performance.now() - leading < 1_500;
  leading = key === "g" ? performance.now() : 0;
  const page = led && pages.find((known) => known.key === key);
  if (page) navigate(page.path);
  return Boolean(page);
}

function focusSearch() {
  const search = document.querySelector("input[type=search]");
  search?.focus();
  return Boolean(search);
}

function isTyping(target) {
  return target.matches("input, textarea, select, [contenteditable]");
}

export function tellShortcuts(pages) {
  const close = button(text("part.close"), {}, () => dialog.close());
  const lines = [
    ...pages.map(({ name, key }) => line(["g", key], text(`nav.${name}`))),
    line(["/"], text("shortcut.search")),
    line(["?"], text("shortcut.help")),
    line(["Esc"], text("shortcut.close")),
  ];
  const title = element("h2", { id: "shortcuts-title" }, text("console.shortcuts"));
  const dialog = element("dialog", { "aria-labelledby": "shortcuts-title" }, title, element("dl", { class: "keys" }, lines), element("div", { class: "buttons" }, close));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return true;
}

function line(keys, words) {
  return [element("dt", {}, keys.map((key) => element("kbd", {}, key))), element("dd", {}, words)];
}
