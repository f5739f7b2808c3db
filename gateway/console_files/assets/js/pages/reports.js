// The reports that there are, in each of their forms, and a new one on request.

import { callInSession } from "../api.js";
import { element } from "../elements.js";
import { period } from "../formats.js";
import { text } from "../language.js";
import { onEvent } from "../live.js";
import { card, doButton, emptyState, errorState, pageHead, row, table, toast, waitState, when } from "../parts.js";
import { may } from "../session.js";

export function show({ root, signal }) {
  const place = element("div", {}, waitState());
  const request = (kind) =>
    doButton(text(`reports.request_${kind}`), {}, async () => {
      const { task_id: id } = await callInSession("POST", "/api/reports", { kind });
      toast(text("reports.asked"), "good", element("a", { href: `/tasks/${id}` }, text("watch.open")));
    });
  const buttons = may("ops:write") ? [request("daily"), request("weekly")] : [];
  root.append(pageHead(text("nav.reports"), buttons), place);

  const read = async () => {
    try {
      const { reports } = await callInSession("GET", "/api/reports");
      if (!signal.aborted) place.replaceChildren(content(reports));
    } catch (problem) {
      place.replaceChildren(errorState(problem, read));
    }
  };
  onEvent((name, seq, { task_name: task }) => name === "succeeded" && task === "reports.generate" && read(), signal);
  read();
}

function content(reports) {
  if (!reports.length) return emptyState(text("reports.none"));
  const columns = [
    { name: text("reports.report") },
    { name: text("reports.period"), kind: "number" },
    { name: text("reports.open"), kind: "do" },
  ];
  return card(text("nav.reports"), "", table(text("nav.reports"), columns, reports.map((report) => row(columns, cells(report)))));
}

function cells({ report_id: id, kind, from, until, links }) {
  const forms = Object.entries(links).map(([form, href]) => {
    const attributes = form === "html" ? { class: "button small primary", target: "_blank", rel: "noopener" } : { class: "button small", download: `${id}.${form}` };
    return element("a", { href, ...attributes, "aria-label": `${form.toUpperCase()}: ${id}` }, form.toUpperCase());
  });
  const words = kind ? text(`reports.${kind}`) : text("reports.report");
  return [
    element("div", { class: "stacked" }, element("span", {}, words), element("span", { class: "code" }, id)),
    until ? element("span", {}, period(from, until)) : when(momentIn(id)),
    element("div", { class: "actions" }, forms),
  ];
}

// When an id of version 7 was made: its first 48 bits are milliseconds.
function momentIn(id) {
  const ms = Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16);
  return /^[0-9a-f]{8}-[0-9a-f]{4}-7/.test(id) ? new Date(ms).toISOString() : null;
}
