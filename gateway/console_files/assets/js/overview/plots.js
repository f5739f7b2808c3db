// The last hour as plots: what ended, how much of it well, and how long it waited and ran.

import { element } from "../elements.js";
import { duration, number, share, timeOfDay } from "../formats.js";
import { text } from "../language.js";
import { card } from "../parts.js";
import { Plot } from "../plot.js";

const QUANTILES = [
  { name: "p50", label: "p50", kind: "line", tone: "calm" },
  { name: "p95", label: "p95", kind: "line", tone: "warn" },
  { name: "p99", label: "p99", kind: "line", tone: "bad" },
];

// The last minute that is over: the one under way has no rate yet.
const lastWhole = (values) => values.length - 2;
const lastKnown = (values) => values.findLastIndex((value) => value.p50 != null);

export class Plots {
  constructor() {
    const counted = [
      { name: "succeeded", label: text("statuses.succeeded"), kind: "bar", tone: "good" },
      { name: "failed", label: text("statuses.failed"), kind: "bar", tone: "bad" },
    ];
    const well = [{ name: "share", label: text("statuses.succeeded"), kind: "line", tone: "good" }];
    this.throughput = new Plot(text("overview.ended_per_minute"), counted, (value) => number(value), { rests: lastWhole });
    this.success = new Plot(text("overview.success"), well, share, { top: 1, rests: lastWhole });
    this.wait = new Plot(text("overview.wait"), QUANTILES, duration, { rests: lastKnown });
    this.run = new Plot(text("overview.run"), QUANTILES, duration, { rests: lastKnown });
    const all = [this.throughput, this.success, this.wait, this.run].map((plot) => plot.element);
    this.element = card(text("overview.plots"), text("overview.span"), element("div", { class: "plots" }, all));
  }

  // `minutes` as the API tells them, oldest first.
  draw(minutes) {
    const at = (place) => sayMinute(minutes[place].at, place === minutes.length - 1);
    const ends = [text("overview.ago"), text("overview.now")];
    this.throughput.draw(minutes, at, ...ends);
    this.success.draw(minutes.map(({ succeeded, failed }) => ({ share: succeeded + failed ? succeeded / (succeeded + failed) : null })), at, ...ends);
    this.wait.draw(minutes.map((minute) => minute.wait_ms), at, ...ends);
    this.run.draw(minutes.map((minute) => minute.run_ms), at, ...ends);
  }
}

function sayMinute(iso, isUnderWay) {
  return isUnderWay ? text("overview.so_far", { at: timeOfDay(iso) }) : timeOfDay(iso);
}
