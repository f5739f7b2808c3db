// A form made from a JSON Schema: a field for each property, and its values as the API wants them.
//
// It knows what the payloads of tasks have: words, numbers, choices, days, yes or no, lists of words, and objects of
// those. Anything else is written as JSON. The service checks everything again; what it refuses stands at its field.

import { element } from "./elements.js";
import { nameOf, text } from "./language.js";

const LONG = 500;

export class SchemaForm {
  // `special(name, property)` may return {element, read} for a property that has a field of its own.
  constructor(schema, special = () => null) {
    this.defs = schema.$defs ?? {};
    this.fields = this.made(schema, "", special);
    this.element = element("div", { class: "schema" }, this.fields.map((field) => field.element));
  }

  made(schema, prefix, special) {
    const required = new Set(schema.required ?? []);
    return this.ordered(schema.properties ?? {}, required).map(([name, given]) => {
      const own = special(name, given);
      if (own) return { name, ...own, tell: () => {} };
      const property = this.resolved(given);
      const path = prefix + name;
      if (property.type === "object" && property.properties) return this.group(name, property, path, special);
      return this.single(name, property, path, required.has(name));
    });
  }

  // What may be left out and is written as JSON comes last.
  ordered(properties, required) {
    const late = ([name, given]) => {
      const property = this.resolved(given);
      return !required.has(name) && !property.properties && this.kindOf(property) === JSON_TEXT;
    };
    const entries = Object.entries(properties);
    return [...entries.filter((entry) => !late(entry)), ...entries.filter(late)];
  }

  // The property itself, without the ways in which a schema says that it may be left out.
  resolved(property) {
    if (property.$ref) return { ...this.resolved(this.defs[property.$ref.split("/").at(-1)]), default: property.default };
    const real = property.anyOf?.filter((one) => one.type !== "null");
    if (real?.length === 1) return { ...property, anyOf: undefined, ...this.resolved(real[0]), default: property.default };
    return property;
  }

  group(name, property, path, special) {
    const fields = this.made(property, `${path}.`, special);
    const place = element("fieldset", {}, element("legend", {}, label(name)), fields.map((field) => field.element));
    return { name, element: place, fields, read: () => valuesOf(fields) };
  }

  single(name, property, path, required) {
    const kind = this.kindOf(property);
    const { input, read } = kind.make(property);
    input.id = `argument-${path}`;
    input.name = path;
    if (required) input.required = true;
    const problem = element("span", { class: "problem", id: `${input.id}-problem`, hidden: true });
    const own = nameOf("hint", name);
    const hint = own === name ? (property.description ?? (kind.hint && text(kind.hint))) : own;
    const lang = hint === property.description ? "en" : null;
    const told = hint && element("span", { class: "hint", id: `${input.id}-hint`, lang }, hint);
    input.setAttribute("aria-describedby", [told && told.id, problem.id].filter(Boolean).join(" "));
    const mark = required ? null : element("span", { class: "optional" }, ` ${text("submit.optional")}`);
    const place = element("p", { class: "field" }, element("label", { for: input.id }, label(name), mark), input, told, problem);
    const field = { name, path, input, element: place, required, tell: (words) => tell(input, problem, words) };
    input.addEventListener("input", () => field.tell(null));
    return { ...field, read: () => read(input, property) };
  }

  kindOf(property) {
    if (property.enum) return CHOICE;
    if (property.type === "boolean") return SWITCH;
    if (property.type === "integer" || property.type === "number") return NUMBER;
    if (property.type === "string") return property.format === "date" ? DAY : WORDS;
    const items = property.type === "array" && this.resolved(property.items ?? {});
    if (items && items.type === "string") return items.enum ? CHOICES : (items.maxLength > LONG ? TEXTS : LIST);
    return JSON_TEXT;
  }

  // The values that differ from leaving them out. Throws `FormProblem` at the first field that can't be read.
  get values() {
    return valuesOf(this.fields);
  }

  // Tells what is wrong with a field of the service's answer; returns whether the form has it.
  refuse(path, words) {
    const field = this.flat(this.fields).find((known) => path === known.path || path.startsWith(`${known.path}.`) || path.startsWith(`${known.path}[`));
    field?.tell(words);
    return field ?? null;
  }

  // The first field that is required and empty, told so.
  missing() {
    const empty = this.flat(this.fields).filter((field) => field.required && field.input.value.trim() === "");
    empty.forEach((field) => field.tell(text("submit.required")));
    return empty[0]?.input ?? null;
  }

  flat(fields) {
    return fields.flatMap((field) => (field.fields ? this.flat(field.fields) : field.input ? [field] : []));
  }
}

export class FormProblem extends Error {
  constructor(input) {
    super(text("submit.bad_json"));
    this.input = input;
    this.explanation = this.message;
  }
}

function valuesOf(fields) {
  const read = fields.map((field) => [field.name, field.read()]);
  return Object.fromEntries(read.filter(([, value]) => value !== undefined));
}

function label(name) {
  return nameOf("argument", name);
}

function tell(input, place, words) {
  place.hidden = words === null;
  place.textContent = words ?? "";
  input.setAttribute("aria-invalid", String(words !== null));
}

const orNothing = (value) => (value === "" ? undefined : value);
const lines = (words) => words.split("\n").map((line) => line.trim()).filter(Boolean);

const WORDS = {
  make: ({ maxLength, pattern }) => {
    const long = !pattern && (maxLength ?? LONG + 1) > LONG;
    const input = long
      ? element("textarea", { rows: 4, maxlength: maxLength })
      : element("input", { maxlength: maxLength, spellcheck: "false", autocomplete: "off" });
    return { input, read: () => orNothing(long ? input.value : input.value.trim()) };
  },
};
const DAY = { make: () => read(element("input", { type: "date" }), (input) => orNothing(input.value)) };
const NUMBER = {
  make: ({ minimum, maximum, default: usual, type }) =>
    read(element("input", { type: "number", min: minimum, max: maximum, placeholder: usual, step: type === "integer" ? 1 : "any" }), (input) =>
      input.value === "" ? undefined : Number(input.value),
    ),
};
const SWITCH = {
  make: ({ default: usual }) =>
    read(element("input", { type: "checkbox", checked: usual === true }), (input) => (input.checked === (usual === true) ? undefined : input.checked)),
};
const CHOICE = {
  make: ({ enum: choices, default: usual }) => {
    const options = choices.map((choice) => element("option", { value: choice, selected: choice === usual }, nameOf("choice", choice)));
    return read(element("select", {}, usual === undefined || usual === null ? element("option", { value: "" }, "–") : null, options), (input) =>
      input.value === (usual ?? "") ? undefined : input.value,
    );
  },
};
const LIST = {
  hint: "submit.lines",
  make: () => read(element("textarea", { rows: 3, spellcheck: "false" }), (input) => orEmpty(lines(input.value))),
};
const TEXTS = { ...LIST, make: () => read(element("textarea", { rows: 4 }), (input) => orEmpty(lines(input.value))) };
const CHOICES = {
  hint: "submit.several",
  make: ({ items, default: usual }) => {
    const chosen = new Set(usual ?? []);
    const options = items.enum.map((choice) => element("option", { value: choice, selected: chosen.has(choice) }, nameOf("choice", choice)));
    return read(element("select", { multiple: true, size: options.length }, options), (input) => [...input.selectedOptions].map((option) => option.value));
  },
};
// A list that may be of words, too, is one a line unless it is written as JSON.
const JSON_TEXT = {
  hint: "submit.json",
  make: (property) =>
    read(element("textarea", { rows: 4, class: "code", spellcheck: "false" }), (input) => {
      const words = input.value.trim();
      if (words === "") return undefined;
      if (takesWords(property) && !/^[[{"]/.test(words)) return lines(words);
      try {
        return JSON.parse(input.value);
      } catch {
        throw new FormProblem(input);
      }
    }),
};

function takesWords({ type, items }) {
  return type === "array" && Boolean(items?.anyOf?.some((one) => one.type === "string"));
}

function read(input, value) {
  return { input, read: () => value(input) };
}

function orEmpty(values) {
  return values.length ? values : undefined;
}
