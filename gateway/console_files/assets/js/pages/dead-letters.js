// The dead letters, grouped by what went wrong: each group or letter can be replayed, at once or gradually, or thrown
// away.

import { callInSession } from "../api.js";
import { atMostEvery, element } from "../elements.js";
import { has } from "../features.js";
import { number } from "../formats.js";
import { nameOf, text } from "../language.js";
import { onEvent } from "../live.js";
import { badge, card, confirmed, doButton, emptyState, errorState, keepFocus, pageHead, row, table, toast, waitState, when } from "../parts.js";
import { may, tenant } from "../session.js";

const READ_EVERY_MS = 2_000;
const ASK_EVERY_MS = 1_000;
const PAGE = 50;
const PAGE_AT_MOST = 200;

export function show(page) {
  new DeadLettersPage(page).start();
}

class DeadLettersPage {
  constructor({ root, query, setQuery, signal }) {
    this.root = root;
    this.signal = signal;
    this.setQuery = setQuery;
    this.chosen = Object.fromEntries(FILTER.filter((name) => query.has(name)).map((name) => [name, query.get(name)]));
    this.shown = PAGE;
    this.soon = atMostEvery(READ_EVERY_MS, () => !signal.aborted && this.read());
  }

  start() {
    this.groups = element("div", {}, waitState());
    this.letters = element("div");
    this.replaying = element("div", { role: "status" });
    this.root.append(pageHead(text("nav.dead")), this.replaying, this.groups, this.letters);
    onEvent((name) => (name === "failed" || name === "queued") && this.soon(), this.signal);
    this.read();
    this.followRunning();
  }

  // What somebody has begun is shown to whoever opens the page.
  async followRunning() {
    if (!has("GET /api/dead-letters/replays")) return;
    const { replays } = await callInSession("GET", "/api/dead-letters/replays").catch(() => ({ replays: [] }));
    const running = replays.find(({ state }) => state === "running");
    if (running) this.follow(running.replay_id);
  }

  async read() {
    await Promise.all([this.readGroups(), this.readLetters()]);
  }

  async readGroups() {
    if (!has("GET /api/dead-letters/groups")) return this.groups.replaceChildren();
    try {
      const { groups } = await callInSession("GET", "/api/dead-letters/groups");
      if (!this.signal.aborted) keepFocus(this.groups, () => this.groups.replaceChildren(this.drawGroups(groups)));
    } catch (problem) {
      this.groups.replaceChildren(errorState(problem, () => this.read()));
    }
  }

  async readLetters() {
    const query = new URLSearchParams({ ...this.chosen, limit: this.shown });
    try {
      const answer = await callInSession("GET", `/api/dead-letters?${query}`);
      if (!this.signal.aborted) keepFocus(this.letters, () => this.letters.replaceChildren(this.drawLetters(answer)));
    } catch (problem) {
      this.letters.replaceChildren(errorState(problem, () => this.read()));
    }
  }

  choose(filter) {
    this.chosen = filter;
    this.setQuery(new URLSearchParams(filter));
    return this.read();
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
    const { fingerprint, error_type: type, message, task_name: name, queue, count } = group;
    const filter = filterOf(group);
    const id = Object.values(filter).join("-");
    const here = id === Object.values(this.chosen).join("-");
    const label = text(here ? "dead.show_all" : "dead.show");
    const choose = doButton(label, { class: "small", id: `show-${id}`, "aria-pressed": String(here) }, () => this.choose(here ? {} : filter));
    return [
      element("div", { class: "stacked" }, element("span", { class: "bad" }, type), message && element("span", { class: "note clip" }, message), element("span", { class: "note" }, `${nameOf("task", name)} · ${queue}`), fingerprint && element("span", { class: "code" }, fingerprint.slice(0, 12))),
      number(count),
      when(group.first_at),
      when(group.last_at),
      element("div", { class: "actions" }, choose, this.replayButtons(filter, count, id)),
    ];
  }

  replayButtons(filter, count, id) {
    if (!may("ops:write")) return [];
    const all = doButton(text("dead.replay_group"), { class: "small primary", id: `replay-${id}` }, () => this.replay(filter, count));
    const slow = doButton(text("dead.replay_slow"), { class: "small", id: `slowly-${id}`, title: text("dead.slow_hint") }, () => this.replaySlowly(filter));
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
    try {
      const { replay_id: id } = await callInSession("POST", "/api/dead-letters/replay", { ...filter, gradual: true });
      this.follow(id);
    } catch (problem) {
      if (problem.status !== 409) throw problem;
      toast(text("dead.slowly_already"), "bad");
      this.followRunning();
    }
  }

  // Told until it is over; what stands in the answer besides is told as it is.
  async follow(id) {
    this.followed = id;
    while (!this.signal.aborted && this.followed === id) {
      // What is away comes back; what is gone doesn't.
      const replay = await callInSession("GET", `/api/dead-letters/replays/${encodeURIComponent(id)}`).catch(({ status }) => ({ state: status === 404 ? "gone" : "" }));
      if (replay.state === "gone") return;
      if (replay.state) {
        this.drawReplay(replay);
        this.soon();
      }
      if (ENDED.has(replay.state)) return;
      await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
    }
  }

  drawReplay(replay) {
    const { replay_id: id, state, reason, replayed, total, passed_over: passed } = replay;
    const tone = state === "stopped" ? "bad" : ENDED.has(state) ? "good" : "calm";
    const name = reason ? nameOf("replay_reason", reason) : nameOf("replay", state);
    const words = [text("dead.slowly", { n: number(replayed ?? 0), total: number(total ?? 0) }), passed ? text("dead.passed_over", { n: number(passed) }) : ""];
    const stop = doButton(text("dead.stop"), { class: "small", id: `stop-${id}` }, async () => this.drawReplay(await callInSession("POST", `/api/dead-letters/replays/${encodeURIComponent(id)}/stop`)));
    const canStop = state === "running" && may("ops:write") && has("POST /api/dead-letters/replays/{id}/stop");
    keepFocus(this.replaying, () => this.replaying.replaceChildren(element("p", { class: "card inset" }, badge(tone, name), " ", words.join(" "), " ", canStop ? stop : "")));
  }

  // --------------------------------------------------------------------------------------------- letters

  drawLetters(answer) {
    const letters = answer.dead_letters;
    const filtered = Object.keys(this.chosen).length > 0;
    if (!letters.length) return filtered || !has("GET /api/dead-letters/groups") ? emptyState(text("dead.none_here")) : "";
    const columns = [
      { name: text("tasks.task") },
      { name: text("dead.error"), kind: "wide" },
      { name: text("dead.last"), kind: "number" },
      { name: text("part.actions"), kind: "do" },
    ];
    const rows = letters.map((letter) => row(columns, this.letterCells(letter), { "data-task": letter.task_id }));
    const note = text(filtered ? "dead.of_group" : "dead.newest", { n: number(letters.length) });
    return card(text("dead.letters"), note, table(text("dead.letters"), columns, rows), this.more(answer));
  }

  // The newest are what is dealt with; who has more than a page of them works by groups.
  more({ next_cursor: next }) {
    if (!next || this.shown === PAGE_AT_MOST) return "";
    const older = doButton(text("tasks.older"), { class: "quiet", id: "older-letters" }, () => {
      this.shown = PAGE_AT_MOST;
      return this.readLetters();
    });
    return element("p", { class: "more" }, older);
  }

  letterCells({ task_id: id, task_name: name, queue, tenant: whose, error_type: type, message, finished_at: at, etag }) {
    const path = `/api/dead-letters/${id}`;
    // Bound to what is on the screen: who has dealt with it meanwhile isn't overridden.
    const deal = async (method, where) => {
      try {
        await callInSession(method, where, undefined, etag ? { "If-Match": etag } : {});
      } catch (problem) {
        if (![404, 409, 412].includes(problem.status)) throw problem;
        toast(text("dead.changed"), "bad");
        return false;
      } finally {
        this.read();
      }
      return true;
    };
    const replay = async () => (await deal("POST", `${path}/replay`)) && toast(text("dead.replayed", { n: 1 }));
    const discard = async () => {
      if (!(await confirmed(text("dead.discard"), text("dead.discard_ask"), text("dead.discard")))) return;
      await deal("DELETE", path);
    };
    // Another tenant's task is not there for this one.
    const link = element("a", { href: `/tasks/${id}` }, nameOf("task", name));
    const actions = may("ops:write")
      ? [
          doButton(text("dead.replay"), { class: "small", id: `replay-${id}` }, replay),
          doButton(text("dead.discard"), { class: "small quiet", id: `discard-${id}` }, discard),
        ]
      : [];
    return [
      element("div", { class: "stacked" }, whose === tenant() ? link : link.textContent, element("span", { class: "note" }, [whose, queue].join(" · "))),
      element("div", { class: "stacked" }, element("span", { class: "bad" }, type), element("span", { class: "note clip" }, message)),
      when(at),
      element("div", { class: "actions" }, actions),
    ];
  }
}

// What tells a group from the others; one whose failures have no fingerprint, by what it has.
function filterOf({ fingerprint, error_type, task_name, queue }) {
  return fingerprint ? { fingerprint } : { error_type, task_name, queue };
}

const FILTER = ["fingerprint", "error_type", "task_name", "queue"];
const ENDED = new Set(["done", "finished", "completed", "succeeded", "stopped", "cancelled"]);
