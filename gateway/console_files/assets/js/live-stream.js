// One stream of server-sent events that stays up: after a cut, after an outage, and over the time in which nobody
// looks. A hidden page lets its connection go, because a browser has only six to one host; when it is looked at
// again, it asks for what it missed.

const EVENTS = [
  "queued", "scheduled", "running", "progress", "retrying", "recovered", "succeeded", "failed", "cancelled",
];
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;

export class LiveStream {
  // `onEvent(name, seq, data)` gets each event, `onState` one of connecting, open, waiting, paused, over.
  // `isOver()` is asked before a refused stream is tried again.
  constructor(path, { onEvent, onState = () => {}, isOver = async () => false }) {
    this.path = path;
    this.onEvent = onEvent;
    this.onState = onState;
    this.isOver = isOver;
    this.lastId = null;
    this.source = null;
    this.timer = null;
    this.ended = false;
    this.waitMs = FIRST_WAIT_MS;
    this.lookedAt = () => (document.hidden ? this.pause() : this.open());
    document.addEventListener("visibilitychange", this.lookedAt);
  }

  // Start, or go on from where the stream stood; `lastId` skips what came before it.
  open(lastId = this.lastId) {
    this.lastId = lastId;
    if (this.ended || this.source || document.hidden) return;
    clearTimeout(this.timer);
    const from = this.lastId === null ? "" : `?last_event_id=${this.lastId}`;
    this.source = new EventSource(this.path + from);
    this.onState("connecting");
    this.listen(this.source);
  }

  listen(source) {
    source.addEventListener("open", () => {
      this.waitMs = FIRST_WAIT_MS;
      this.onState("open");
    });
    source.addEventListener("error", () => this.cut(source));
    source.addEventListener("end", () => this.finish());
    for (const name of EVENTS) source.addEventListener(name, (event) => this.tell(event));
  }

  tell(event) {
    this.lastId = event.lastEventId;
    this.onEvent(event.type, Number(event.lastEventId), JSON.parse(event.data));
  }

  // The browser comes back by itself after a cut, but not after an answer other than 200.
  cut(source) {
    this.onState("waiting");
    if (source.readyState !== EventSource.CLOSED || source !== this.source) return;
    this.release();
    this.timer = setTimeout(() => this.tryAgain(), this.waitMs);
    this.waitMs = Math.min(this.waitMs * 2, LONGEST_WAIT_MS);
  }

  async tryAgain() {
    const over = await this.isOver().catch(() => false);
    if (over) this.finish();
    else this.open();
  }

  pause() {
    this.release();
    if (!this.ended) this.onState("paused");
  }

  // The stream has told its last event.
  finish() {
    this.close();
    this.onState("over");
  }

  close() {
    this.ended = true;
    this.release();
    document.removeEventListener("visibilitychange", this.lookedAt);
  }

  release() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }
}
