// Numbers, durations and times as a reader of the chosen language writes them.

import { language } from "./language.js";

export function number(value, digits = 0) {
  return new Intl.NumberFormat(language(), { maximumFractionDigits: digits }).format(value);
}

export function percent(value) {
  return `${number(Math.floor(value))} %`;
}

// A share of 0 to 1, with one digit: 99.96 % never reads as 100 %.
export function share(value) {
  return value == null ? "–" : `${number(Math.floor(value * 1_000) / 10, 1)} %`;
}

// A duration from ms to days, in the two largest units that say something.
export function duration(ms) {
  if (ms == null) return "–";
  if (ms < 1_000) return `${number(ms)} ms`;
  if (ms < 60_000) return `${number(ms / 1_000, 1)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min ${Math.floor((ms % 60_000) / 1_000)} s`;
  if (minutes < 2_880) return `${number(Math.floor(minutes / 60))} h ${minutes % 60} min`;
  return `${number(Math.floor(minutes / 1_440))} d ${Math.floor((minutes % 1_440) / 60)} h`;
}

const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];

// "3 minutes ago", "in 2 hours".
export function relative(iso) {
  const seconds = Math.round((Date.parse(iso) - Date.now()) / 1_000);
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  const format = new Intl.RelativeTimeFormat(language(), { numeric: "auto", style: "short" });
  return format.format(Math.trunc(seconds / size), unit);
}

// The time of day; with the day where that is not today. In the reader's time zone, unless another is named.
export function moment(iso, timeZone = undefined) {
  if (!iso) return "–";
  const at = new Date(iso);
  const today = at.toDateString() === new Date().toDateString();
  return formatted(at, { timeZone, ...(today ? {} : { day: "2-digit", month: "2-digit" }) }, !today);
}

// From a moment to another, with their days.
export function period(from, until) {
  const wish = { day: "2-digit", month: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  return new Intl.DateTimeFormat(language(), wish).formatRange(new Date(from), new Date(until));
}

// Hours and minutes alone.
export function timeOfDay(iso) {
  return formatted(new Date(iso), {}, true);
}

export function exactMoment(iso) {
  return new Date(iso).toLocaleString(language(), { dateStyle: "long", timeStyle: "medium" });
}

function formatted(at, day, short) {
  const time = { hour: "2-digit", minute: "2-digit", ...(short ? {} : { second: "2-digit" }) };
  return new Intl.DateTimeFormat(language(), { ...day, ...time, hourCycle: "h23" }).format(at);
}
