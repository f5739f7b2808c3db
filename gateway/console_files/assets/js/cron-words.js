// When a schedule comes, in words, where its five fields say something plain; otherwise the fields themselves.

import { language, text } from "./language.js";

const SUNDAY = Date.UTC(2026, 0, 4);
const DAY_MS = 86_400_000;

// "30 6 * * 1" is "segunda-feira às 06:30".
export function cronWords(cron) {
  const [minute, hour, day, month, weekday] = cron.split(" ");
  if (day !== "*" || month !== "*") return cron;
  if (hour === "*" && weekday === "*") return minutely(minute) ?? cron;
  if (!isNumber(minute) || !isNumber(hour)) return cron;
  const at = `${hour.padStart(2, "0")}:${minute.padStart(2, "0")}`;
  if (weekday === "*") return text("cron.daily", { at });
  return isNumber(weekday) ? text("cron.weekly", { day: dayName(Number(weekday)), at }) : cron;
}

function minutely(minute) {
  if (minute === "*") return text("cron.minute");
  const [, every] = /^\*\/(\d+)$/.exec(minute) ?? [];
  if (every) return text("cron.minutes", { n: every });
  return isNumber(minute) ? text("cron.hourly", { minute: minute.padStart(2, "0") }) : null;
}

function dayName(weekday) {
  const format = new Intl.DateTimeFormat(language(), { weekday: "long", timeZone: "UTC" });
  return format.format(SUNDAY + (weekday % 7) * DAY_MS);
}

function isNumber(words) {
  return /^\d+$/.test(words ?? "");
}
