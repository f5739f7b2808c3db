// Which language the page speaks, and what it says in it.
//
// The choice of the toggle comes first, then the browser's language; anything but English is Portuguese.

import { TEXTS } from "./texts.js";

const CHOICE = "despacho.language";
const listeners = [];
let current = chosen() ?? (navigator.language.toLowerCase().startsWith("en") ? "en" : "pt-BR");

function chosen() {
  const stored = localStorage.getItem(CHOICE);
  return stored in TEXTS ? stored : null;
}

export function language() {
  return current;
}

export function text(key, values = {}) {
  const found = TEXTS[current][key] ?? key;
  return found.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

// The name of a coded value; the code itself where there is no name for it.
export function nameOf(kind, code) {
  return TEXTS[current][`${kind}.${code}`] ?? code;
}

// Calls `listener` whenever the language changes.
export function onLanguage(listener) {
  listeners.push(listener);
}

// Fills the page's fixed texts and lets the button change the language.
export function startLanguage(button) {
  button.addEventListener("click", () => {
    current = current === "en" ? "pt-BR" : "en";
    localStorage.setItem(CHOICE, current);
    fill(button);
    listeners.forEach((listener) => listener());
  });
  fill(button);
}

function fill(button) {
  document.documentElement.lang = current;
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = text(element.dataset.text);
  }
  for (const element of document.querySelectorAll("[data-placeholder]")) {
    element.placeholder = text(element.dataset.placeholder);
  }
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", text(element.dataset.label));
  }
  button.textContent = text("language.other");
  button.lang = current === "en" ? "pt-BR" : "en";
}
