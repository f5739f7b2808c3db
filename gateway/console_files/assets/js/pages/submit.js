// Queue a task: one form per task type, made from its JSON Schema. Documents are uploaded first, and named by their ids.

import { callInSession, upload } from "../api.js";
import { element } from "../elements.js";
import { nameOf, text } from "../language.js";
import { card, errorState, field, pageHead, select, waitState } from "../parts.js";
import { SchemaForm } from "../schema-form.js";
import { taskTypes } from "../task-pages.js";
import { setWatched } from "../watch.js";

const DEFAULT = "triage.process_async";

export function show(page) {
  new SubmitPage(page).start();
}

class SubmitPage {
  constructor({ root, query, setQuery, signal }) {
    this.root = root;
    this.setQuery = setQuery;
    this.signal = signal;
    this.asked = query.get("task_name") ?? DEFAULT;
  }

  async start() {
    this.place = element("div", {}, waitState());
    this.root.append(pageHead(text("nav.submit")), this.place);
    try {
      this.types = await taskTypes();
    } catch (problem) {
      this.place.replaceChildren(errorState(problem, () => this.start()));
      return;
    }
    if (!this.signal.aborted) this.build();
  }

  // ------------------------------------------------------------------------------------------------ form

  build() {
    const names = this.types.map(({ task_name: name }) => [name, nameOf("task", name)]);
    const known = names.some(([name]) => name === this.asked) ? this.asked : DEFAULT;
    this.type = select(names, known, { id: "task-type" });
    this.type.addEventListener("change", () => {
      this.setQuery(new URLSearchParams({ task_name: this.type.value }));
      this.drawArguments();
    });
    this.about = element("p", { class: "note", lang: "en" });
    this.arguments = element("div");
    this.priority = select(["critical", "high", "normal", "low"].map((name) => [name, text(`priority.${name}`)]), "normal", { id: "priority" });
    this.delay = element("input", { type: "number", min: 0, max: 2_592_000, placeholder: 0, id: "countdown" });
    this.told = element("p", { class: "told", role: "status" });
    this.submitButton = element("button", { type: "submit", class: "primary" }, text("submit.submit"));
    const beside = element("div", { class: "pair" }, field(text("tasks.priority"), this.priority), field(text("submit.delay"), this.delay));
    this.form = element("form", { novalidate: true, class: "submit" }, field(text("tasks.task"), this.type), this.about, this.arguments, beside, this.submitButton, this.told);
    this.form.addEventListener("submit", (event) => this.submit(event));
    this.place.replaceChildren(card(text("submit.title"), text("submit.note"), this.form));
    this.drawArguments();
  }

  get chosen() {
    return this.types.find(({ task_name: name }) => name === this.type.value);
  }

  drawArguments() {
    const about = nameOf("about", this.chosen.task_name);
    const known = about !== this.chosen.task_name;
    this.about.textContent = known ? about : this.chosen.description;
    this.about.lang = known ? document.documentElement.lang : "en";
    this.schema = new SchemaForm(this.chosen.kwargs, (name) => (name === "document_ids" ? this.documents() : null));
    this.arguments.replaceChildren(this.schema.element);
    this.told.replaceChildren();
    const caseId = this.arguments.querySelector("[name=case_id]");
    if (caseId?.required) caseId.value = freshCase();
  }

  // Files to upload in place of the ids that the task wants; ids of documents that are there already may be added.
  documents() {
    this.files = element("input", { type: "file", multiple: true, id: "files" });
    this.ids = element("textarea", { rows: 2, id: "document-ids", spellcheck: "false" });
    const place = element("div", { class: "schema" }, field(text("submit.files"), this.files), field(text("submit.document_ids"), this.ids, text("submit.lines")));
    return { element: place, read: () => undefined };
  }

  // ---------------------------------------------------------------------------------------------- sending

  async submit(event) {
    event.preventDefault();
    const missing = this.schema.missing();
    if (missing) return missing.focus();
    this.submitButton.disabled = true;
    this.told.replaceChildren(text("submit.sending"));
    try {
      await this.send();
    } catch (refused) {
      this.refuse(refused);
    } finally {
      this.submitButton.disabled = false;
    }
  }

  async send() {
    const kwargs = this.schema.values;
    if ("document_ids" in this.chosen.kwargs.properties) await this.addDocuments(kwargs);
    const order = { task_name: this.type.value, kwargs, priority: this.priority.value };
    if (Number(this.delay.value) > 0) order.countdown = Number(this.delay.value);
    const { task_id: id } = await callInSession("POST", "/api/tasks/queue", order);
    setWatched(id, true);
    const link = element("a", { href: `/tasks/${id}` }, kwargs.case_id ?? id);
    this.drawArguments();
    this.told.replaceChildren(text("submit.queued"), " ", link);
  }

  async addDocuments(kwargs) {
    const ids = this.ids.value.split(/\s+/).filter(Boolean);
    for (const file of this.files.files) {
      this.told.replaceChildren(text("submit.uploading", { file: file.name }));
      const { document_id: id } = await upload(file, kwargs.case_id);
      ids.push(id);
    }
    if (ids.length) kwargs.document_ids = ids;
  }

  // What is wrong with a field is told there, the rest below the form.
  refuse(refused) {
    if (refused.input) {
      this.schema.refuse(refused.input.name, refused.message);
      refused.input.focus();
      return this.told.replaceChildren();
    }
    const errors = refused.errors ?? [];
    const fields = errors.map(({ field: path, message }) => this.schema.refuse(path.replace(/^kwargs\./, ""), message));
    const known = fields.filter(Boolean);
    known[0]?.input.focus();
    const all = errors.length > 0 && known.length === errors.length;
    const words = all ? text("problem.422") : (refused.explanation ?? String(refused));
    this.told.replaceChildren(element("span", { class: "problem" }, words));
  }
}

function freshCase() {
  const [word] = crypto.getRandomValues(new Uint32Array(1));
  return `teste-${word.toString(36).padStart(7, "0").slice(-5)}`;
}
