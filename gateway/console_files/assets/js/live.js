// The tenant's stream, once for the whole console, whichever page is open. It begins with the latest events.

import { callInSession } from "./api.js";
import { LiveStream } from "./live-stream.js";

const events = new Set();
const states = new Set();
let state = "connecting";

const stream = new LiveStream("/api/events", {
  onEvent: (name, seq, data) => events.forEach((hear) => hear(name, seq, data)),
  onState: (now) => {
    state = now;
    states.forEach((hear) => hear(now));
  },
  isOver: sessionHolds,
});

// Leads to the login where the session has ended; the tenant's stream itself is never over.
async function sessionHolds() {
  await callInSession("GET", "/api/session");
  return false;
}

export function startLive() {
  stream.open();
}

// `hear(name, seq, data)` gets each event until the signal is aborted.
export function onEvent(hear, signal) {
  listen(events, hear, signal);
}

// `hear(state)` is told the state now and whenever it changes.
export function onLiveState(hear, signal) {
  listen(states, hear, signal);
  hear(state);
}

function listen(listeners, hear, signal) {
  listeners.add(hear);
  signal?.addEventListener("abort", () => listeners.delete(hear));
}
