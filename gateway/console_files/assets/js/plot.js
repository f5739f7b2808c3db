// Small plots over time, drawn as SVG. Every figure that a line or a bar shows is also in the legend, in words.

import { element } from "./elements.js";

const WIDTH = 600;
const HEIGHT = 120;
const SVG = "http://www.w3.org/2000/svg";

function svg(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export class Plot {
  // `lines` are [{name, kind, label, tone}], `kind` "line" or "bar", bars one on top of the other; `say(value)` writes a
  // value. `top` is the highest value, where it is known; `rests` says at which place the legend stands at rest.
  constructor(title, lines, say, { top = null, rests }) {
    this.title = title;
    this.lines = lines;
    this.say = say;
    this.top = top;
    this.rests = rests;
    this.values = [];
    this.at = () => "";
    this.pointed = null;
    this.most = element("span", { class: "most" });
    this.drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": title });
    this.legend = element("dl", { class: "legend" });
    this.moment = element("span", { class: "moment" });
    const head = element("figcaption", {}, element("span", { class: "plot-title" }, title), this.moment);
    this.place = element("div", { class: "drawing" }, this.most, this.drawing);
    this.element = element("figure", { class: "plot" }, head, this.place, this.axis(), this.legend);
    this.place.addEventListener("pointermove", (event) => this.point(event));
    this.place.addEventListener("pointerleave", () => this.tell(null));
  }

  axis() {
    this.from = element("span");
    this.until = element("span");
    return element("p", { class: "axis", "aria-hidden": "true" }, this.from, this.until);
  }

  // `values` is [{<name>: number | null}], oldest first, the last of them not over yet; `at(place)` says when it was.
  draw(values, at, from, until) {
    this.values = values;
    this.at = at;
    const top = this.top ?? ceiling(Math.max(0, ...values.map((value) => highest(this.lines, value))));
    this.most.textContent = top ? this.say(top) : "";
    this.from.textContent = from;
    this.until.textContent = until;
    this.drawing.replaceChildren(...grid(), ...bars(this.lines, values, top || 1), ...curves(this.lines, values, top || 1));
    this.tell(this.pointed);
  }

  point(event) {
    const { left, width } = this.place.getBoundingClientRect();
    const place = Math.floor(((event.clientX - left) / width) * this.values.length);
    this.tell(Math.max(0, Math.min(this.values.length - 1, place)));
  }

  // The figures of one moment; of where the legend rests, when nobody points at one.
  tell(pointed) {
    this.pointed = pointed;
    const place = pointed ?? this.rests(this.values);
    const value = this.values[place] ?? {};
    this.moment.textContent = place in this.values ? this.at(place) : "";
    const said = this.lines.map(({ name, label }) => [label, value[name] == null ? "–" : this.say(value[name])]);
    this.legend.replaceChildren(
      ...this.lines.map(({ kind, tone }, at) =>
        element("div", { "data-tone": tone, "data-kind": kind }, element("dt", {}, said[at][0]), element("dd", {}, said[at][1])),
      ),
    );
    this.drawing.setAttribute("aria-label", `${this.title}: ${said.map((pair) => pair.join(" ")).join(", ")}`);
  }
}

function highest(lines, value) {
  const of = (kind) => lines.filter((line) => line.kind === kind).map(({ name }) => value[name] ?? 0);
  return Math.max(of("bar").reduce((sum, one) => sum + one, 0), ...of("line"));
}

function ceiling(value) {
  if (value <= 0) return 0;
  const size = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * size).find((step) => step >= value);
}

function grid() {
  return [0, 0.5, 1].map((part) => svg("line", { class: "grid", x1: 0, x2: WIDTH, y1: HEIGHT * part, y2: HEIGHT * part }));
}

function bars(lines, values, top) {
  const step = WIDTH / values.length;
  const stacked = lines.filter(({ kind }) => kind === "bar");
  return values.flatMap((value, place) => {
    let base = HEIGHT;
    return stacked.filter(({ name }) => value[name]).map(({ name, tone }) => {
      const height = Math.max(1, (Math.min(value[name], top) / top) * HEIGHT);
      base -= height;
      const still = place === values.length - 1 ? " unfinished" : "";
      return svg("rect", { class: `mark${still}`, "data-tone": tone, x: place * step + 1, width: step - 2, y: base, height });
    });
  });
}

function curves(lines, values, top) {
  const step = WIDTH / values.length;
  const y = (value) => HEIGHT - (Math.min(value, top) / top) * HEIGHT;
  return lines.filter(({ kind }) => kind === "line").flatMap(({ name, tone }) =>
    stretches(values, name).map((stretch) => {
      const points = stretch.map(({ value, place }) => `${(place + 0.5) * step},${y(value)}`);
      if (points.length === 1) points.push(`${(stretch[0].place + 0.9) * step},${y(stretch[0].value)}`);
      return svg("polyline", { class: "mark", "data-tone": tone, points: points.join(" ") });
    }),
  );
}

// A moment in which nothing ended is bridged; some of them break the line.
function stretches(values, name) {
  const found = [];
  let last = -Infinity;
  values.forEach((each, place) => {
    if (each[name] == null) return;
    if (place - last > 4) found.push([]);
    found.at(-1).push({ value: each[name], place });
    last = place;
  });
  return found;
}
