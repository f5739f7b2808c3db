// Numbers, durations and times as a reader of the chosen language writes them.

import { language } from "./language.js";

export function number(value, digits = 0) {
  return new Intl.NumberFormat(language(), { maximumFractionDigits: digits }).format(value);
}

export function percent(value) {
  return `${number(Math.floor(value))} %`;
}

// A duration from ms to hours, in the two largest units that say something.
export function duration(ms) {
  if (ms == null) return "–";
  if (ms < 1_000) return `${number(ms)} ms`;
  if (ms < 60_000) return `${number(ms / 1_000, 1)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min ${Math.floor((ms % 60_000) / 1_000)} s`;
  return `${number(Math.floor(minutes / 60))} h ${minutes % 60} min`;
}

// The time of day; with the day where that is not today.
export function moment(iso) {
  if (!iso) return "–";
  const at = new Date(iso);
  const today = at.toDateString() === new Date().toDateString();
  return formatted(at, today ? {} : { day: "2-digit", month: "2-digit" }, !today);
}

export function exactMoment(iso) {
  return new Date(iso).toLocaleString(language(), { dateStyle: "long", timeStyle: "medium" });
}

function formatted(at, day, short) {
  const time = { hour: "2-digit", minute: "2-digit", ...(short ? {} : { second: "2-digit" }) };
  return new Intl.DateTimeFormat(language(), { ...day, ...time, hourCycle: "h23" }).format(at);
}
