// Requests in pages, newest first, and the look-up of one by its id.

import { button, card, el, empty, fill } from "./dom.js";
import { get } from "./api.js";
import { form } from "./forms.js";
import { credits, milliseconds, secondOf } from "./formats.js";
import { outcomeBadge, recordDialog } from "./request-record.js";
import { table } from "./tables.js";

const ROWS = 50;

export function lookUp() {
  return card(
    "Find a request",
    form({
      row: true,
      submit: "Find",
      fields: [{ name: "request_id", label: "Request id", required: true, placeholder: "req_…", hint: "From the header X-Request-ID, or from an error message." }],
      aliases: { "": "request_id" },
      onSubmit: async ({ request_id }) => {
        const found = await get(`/v1/requests/${encodeURIComponent(request_id)}`);
        recordDialog(found.records);
      },
    }),
  );
}

/** `query` says whose; `people` shows whose they are. */
export async function requestList(holder, query, { people = false } = {}) {
  const cursors = [null];

  async function draw() {
    const page = await get("/v1/usage/events", { ...query, limit: ROWS, cursor: cursors.at(-1) });
    fill(
      holder,
      table({
        caption: "Requests, newest first",
        rows: page.data,
        nothing: empty("No request yet.", "Requests appear here within two seconds of their end.", el("a", { class: "button primary", href: "/workspace/connect" }, "Connect a client")),
        columns: [
          { title: "When", value: (row) => secondOf(row.started_at), sort: (row) => row.started_at },
          { title: "Outcome", value: (row) => outcomeBadge(row.outcome) },
          { title: "Model", value: (row) => modelOf(row), text: (row) => `${row.model} ${row.requested_model}`, cut: "wide" },
          people
            ? { title: "User and client", value: (row) => [row.user_id, " ", el("small", {}, row.client ?? "–")], text: (row) => `${row.user_id} ${row.client ?? ""}`, cut: true }
            : { title: "Client", value: (row) => row.client ?? "–", cut: true },
          { title: "Time", value: (row) => milliseconds(row.total_ms), number: true, sort: (row) => row.total_ms },
          { title: "Credits", value: (row) => credits(row.credits), number: true, sort: (row) => row.credits },
          { title: "Request id", value: (row) => el("code", {}, row.request_id), text: (row) => row.request_id, cut: true },
        ].filter(Boolean),
        actions: (row) => button("Show", () => recordDialog([row]), { kind: "small", label: `Show the request ${row.request_id}` }),
      }),
      turning(page),
    );
  }

  function turning(page) {
    const turn = (change) => async () => {
      change();
      await draw();
    };
    if (cursors.length === 1 && !page.next_cursor) return null;
    return el(
      "div",
      { class: "actions" },
      cursors.length > 1 ? button("Newer", turn(() => cursors.pop())) : null,
      page.next_cursor ? button("Older", turn(() => cursors.push(page.next_cursor))) : null,
    );
  }

  await draw();
}

function modelOf(row) {
  return row.requested_model === row.model ? row.model : el("span", {}, row.model, el("span", { class: "quiet" }, ` ← ${row.requested_model}`));
}
