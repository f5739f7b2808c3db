// The form that queues a triage, so that a person can try the service.

import { callInSession } from "./api.js";
import { byId, element } from "./elements.js";
import { onLanguage, text } from "./language.js";

const CASE_ID = /^[A-Za-z0-9._:@~-]{1,128}$/;

export class TriageForm {
  // `onQueued(taskId, caseId)` is called for each task that was queued.
  constructor(onQueued) {
    this.onQueued = onQueued;
    this.form = byId("submit");
    this.told = byId("submitted");
    this.queued = null;
    this.form.case_id.value = freshCase();
    this.form.addEventListener("submit", (event) => this.submit(event));
    this.form.addEventListener("input", ({ target }) => tell(target, null));
    onLanguage(() => this.queued && this.tellQueued());
  }

  async submit(event) {
    event.preventDefault();
    if (!this.check()) return;
    const submit = this.form.querySelector("[type=submit]");
    submit.disabled = true;
    try {
      await this.queue();
    } catch (refused) {
      this.told.replaceChildren(element("span", { class: "problem" }, refused.explanation));
    } finally {
      submit.disabled = false;
    }
  }

  // Tell what is missing; the first field that is wrong gets the focus.
  check() {
    const { case_id: caseId, message } = this.form;
    const wrong = [
      tell(caseId, caseProblem(caseId.value.trim())),
      tell(message, message.value.trim() ? null : text("submit.no_message")),
    ].filter(Boolean);
    wrong[0]?.focus();
    return wrong.length === 0;
  }

  async queue() {
    const { case_id: caseId, message, priority } = this.form;
    const id = caseId.value.trim();
    const answer = await callInSession("POST", "/api/tasks/queue", {
      task_name: "triage.process_async",
      kwargs: { case_id: id, user_message: message.value },
      priority: priority.value,
    });
    this.queued = { caseId: id, taskId: answer.task_id };
    this.tellQueued();
    caseId.value = freshCase();
    this.onQueued(answer.task_id, id);
  }

  tellQueued() {
    const { caseId, taskId } = this.queued;
    const link = element("a", { href: `#/tasks/${taskId}` }, caseId);
    this.told.replaceChildren(text("submit.queued"), " ", link);
  }
}

function caseProblem(id) {
  if (!id) return text("submit.no_case");
  return CASE_ID.test(id) ? null : text("submit.bad_case");
}

// Show or clear what is wrong with a field; returns the field where something is.
function tell(field, problem) {
  const place = byId(`${field.id}-problem`);
  if (!place) return null;
  place.hidden = problem === null;
  place.textContent = problem ?? "";
  field.setAttribute("aria-invalid", String(problem !== null));
  return problem === null ? null : field;
}

function freshCase() {
  const [word] = crypto.getRandomValues(new Uint32Array(1));
  return `teste-${word.toString(36).padStart(7, "0").slice(-5)}`;
}
