// The dead letters, grouped by what went wrong: each group or letter can be replayed, at once or gradually, or thrown
// away.

import { callInSession } from "../api.js";
import { atMostEvery, element } from "../elements.js";
import { has } from "../features.js";
import { number } from "../formats.js";
import { nameOf, text } from "../language.js";
import { onEvent } from "../live.js";
import { badge, card, confirmed, doButton, emptyState, errorState, pageHead, row, table, toast, waitState, when } from "../parts.js";
import { may } from "../session.js";

const READ_EVERY_MS = 2_000;
const ASK_EVERY_MS = 1_000;

export function show(page) {
  new DeadLettersPage(page).start();
}

class DeadLettersPage {
  constructor({ root, query, setQuery, signal }) {
    this.root = root;
    this.signal = signal;
    this.setQuery = setQuery;
    this.chosen = query.get("fingerprint");
    this.soon = atMostEvery(READ_EVERY_MS, () => !signal.aborted && this.read());
  }

  start() {
    this.groups = element("div", {}, waitState());
    this.letters = element("div");
    this.replaying = element("div", { role: "status" });
    this.root.append(pageHead(text("nav.dead")), this.replaying, this.groups, this.letters);
    onEvent((name) => (name === "failed" || name === "queued") && this.soon(), this.signal);
    this.read();
  }

  async read() {
    await Promise.all([this.readGroups(), this.readLetters()]);
  }

  async readGroups() {
    if (!has("GET /api/dead-letters/groups")) return this.groups.replaceChildren();
    try {
      const { groups } = await callInSession("GET", "/api/dead-letters/groups");
      if (!this.signal.aborted) this.groups.replaceChildren(this.drawGroups(groups));
    } catch (problem) {
      this.groups.replaceChildren(errorState(problem, () => this.read()));
    }
  }

  async readLetters() {
    const query = new URLSearchParams({ limit: 50 });
    if (this.chosen) query.set("fingerprint", this.chosen);
    try {
      const answer = await callInSession("GET", `/api/dead-letters?${query}`);
      if (!this.signal.aborted) this.letters.replaceChildren(this.drawLetters(answer));
    } catch (problem) {
      this.letters.replaceChildren(errorState(problem, () => this.read()));
    }
  }

  choose(fingerprint) {
    this.chosen = fingerprint;
    this.setQuery(new URLSearchParams(fingerprint ? { fingerprint } : {}));
    this.read();
  }

  // ---------------------------------------------------------------------------------------------- groups

  drawGroups(groups) {
    if (!groups.length) return emptyState(text("dead.none"));
    const columns = [
      { name: text("dead.error") },
      { name: text("dead.count"), kind: "number" },
      { name: text("dead.first"), kind: "number" },
      { name: text("dead.last"), kind: "number" },
      { name: text("part.actions"), kind: "do" },
    ];
    const rows = groups.map((group) => row(columns, this.groupCells(group), { "data-fingerprint": group.fingerprint }));
    return card(text("dead.groups"), text("dead.groups_note"), table(text("dead.groups"), columns, rows));
  }

  groupCells(group) {
    const { fingerprint, error_type: type, task_name: name, queue, count } = group;
    const filter = { fingerprint };
    const here = this.chosen === fingerprint;
    const choose = doButton(text(here ? "dead.show_all" : "dead.show"), { class: "small", "aria-pressed": String(here) }, () => this.choose(here ? null : fingerprint));
    return [
      element("div", { class: "stacked" }, element("span", { class: "bad" }, type), element("span", { class: "note" }, `${nameOf("task", name)} · ${queue}`), element("span", { class: "code" }, fingerprint.slice(0, 12))),
      number(count),
      when(group.first_at),
      when(group.last_at),
      element("div", { class: "actions" }, choose, this.replayButtons(filter, count)),
    ];
  }

  replayButtons(filter, count) {
    if (!may("ops:write")) return [];
    const all = doButton(text("dead.replay_group"), { class: "small primary" }, () => this.replay(filter, count));
    const slow = doButton(text("dead.replay_slow"), { class: "small", title: text("dead.slow_hint") }, () => this.replaySlowly(filter));
    return has("GET /api/dead-letters/replays/{id}") ? [all, slow] : [all];
  }

  async replay(filter, count) {
    const words = text("dead.replay_ask", { n: number(count) });
    if (!(await confirmed(text("dead.replay_group"), words, text("dead.replay")))) return;
    const { replayed } = await callInSession("POST", "/api/dead-letters/replay", filter);
    toast(text("dead.replayed", { n: number(replayed) }));
    this.soon();
  }

  async replaySlowly(filter) {
    const { replay_id: id } = await callInSession("POST", "/api/dead-letters/replay", { ...filter, gradual: true });
    this.follow(id);
  }

  // Told until it is over; what stands in the answer besides is told as it is.
  async follow(id) {
    while (!this.signal.aborted) {
      const replay = await callInSession("GET", `/api/dead-letters/replays/${encodeURIComponent(id)}`).catch(() => null);
      if (!replay) return;
      this.drawReplay(replay);
      this.soon();
      if (ENDED.has(replay.state ?? replay.status)) return;
      await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
    }
  }

  drawReplay(replay) {
    const state = replay.state ?? replay.status;
    const tone = state === "stopped" ? "bad" : ENDED.has(state) ? "good" : "calm";
    const words = text("dead.slowly", { n: number(replay.replayed ?? 0), total: number(replay.total ?? 0) });
    this.replaying.replaceChildren(element("p", { class: "card inset" }, badge(tone, nameOf("replay", state)), " ", words));
  }

  // --------------------------------------------------------------------------------------------- letters

  drawLetters(answer) {
    const letters = answer.dead_letters ?? answer.tasks ?? [];
    if (!letters.length) return has("GET /api/dead-letters/groups") ? "" : emptyState(text("dead.none"));
    const columns = [
      { name: text("tasks.task") },
      { name: text("dead.error"), kind: "wide" },
      { name: text("dead.last"), kind: "number" },
      { name: text("part.actions"), kind: "do" },
    ];
    const rows = letters.map((letter) => row(columns, this.letterCells(letter), { "data-task": letter.task_id }));
    const note = text(this.chosen ? "dead.of_group" : "dead.newest", { n: number(letters.length) });
    return card(text("dead.letters"), note, table(text("dead.letters"), columns, rows));
  }

  letterCells({ task_id: id, task_name: name, case_id: caseId, error, error_type: type, finished_at: at }) {
    const path = `/api/dead-letters/${id}`;
    const replay = async () => {
      await callInSession("POST", `${path}/replay`);
      toast(text("dead.replayed", { n: 1 }));
      this.read();
    };
    const discard = async () => {
      if (!(await confirmed(text("dead.discard"), text("dead.discard_ask"), text("dead.discard")))) return;
      await callInSession("DELETE", path);
      this.read();
    };
    const actions = may("ops:write")
      ? [doButton(text("dead.replay"), { class: "small" }, replay), doButton(text("dead.discard"), { class: "small quiet" }, discard)]
      : [];
    return [
      element("div", { class: "stacked" }, element("a", { href: `/tasks/${id}` }, nameOf("task", name)), element("span", { class: "note" }, caseId ?? "")),
      element("div", { class: "stacked" }, element("span", { class: "bad" }, error?.type ?? type), element("span", { class: "note clip" }, error?.message ?? "")),
      when(at ?? error?.at),
      element("div", { class: "actions" }, actions),
    ];
  }
}

const ENDED = new Set(["done", "finished", "completed", "succeeded", "stopped", "cancelled"]);
