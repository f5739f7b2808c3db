// Light, dark, or what the browser wishes: a switch with three positions that is remembered.

import { onLanguage, text } from "./language.js";

const KEY = "despacho.theme";
const THEMES = ["auto", "light", "dark"];

function chosen() {
  return document.documentElement.dataset.theme ?? "auto";
}

export function startTheme(button) {
  const name = () => (button.textContent = text("console.theme", { theme: text(`theme.${chosen()}`) }));
  button.addEventListener("click", () => {
    choose(THEMES[(THEMES.indexOf(chosen()) + 1) % THEMES.length]);
    name();
  });
  onLanguage(name);
  name();
}

function choose(theme) {
  localStorage.setItem(KEY, theme);
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}
