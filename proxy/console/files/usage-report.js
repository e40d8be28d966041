// What was used: figures, trend, heat map, and sums by model, client and user. The same for one's
// own, for a workspace and for all of them; `query` says whose.

import { card, el, empty, fill, notice, tiles } from "./dom.js";
import { get, Refused, withQuery } from "./api.js";
import { chart, heatMap } from "./charts.js";
import { count, credits, percent, short, zone } from "./formats.js";
import { table } from "./tables.js";

const HOURS_OF_SHORT_SPANS = 2;

function spanDays(query) {
  return (new Date(query.end_date) - new Date(query.start_date)) / 86_400_000;
}

export async function usageReport(holder, query, wishes = {}) {
  try {
    await draw(holder, query, wishes);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    fill(holder, notice(error.message, "bad"));
  }
}

async function draw(holder, query, { users = true, connect = false }) {
  const asked = { ...query, timezone: zone };
  const interval = spanDays(query) <= HOURS_OF_SHORT_SPANS ? "hour" : spanDays(query) > 120 ? "month" : "day";
  const [summary, trend, heat, models, sources, people] = await Promise.all([
    get("/v1/usage/summary", asked),
    get("/v1/usage/trend", { ...asked, interval, limit: 1000 }),
    get("/v1/usage/heatmap", asked),
    get("/v1/usage/models", asked),
    get("/v1/usage/sources", asked),
    users ? get("/v1/usage/users", asked) : { data: [] },
  ]);
  if (!summary.requests) {
    fill(
      holder,
      empty(
        "Nothing was used in this time.",
        connect ? "Connect a client and send a message; it is counted here within seconds." : "Choose another range, or another workspace.",
        connect ? el("a", { class: "button primary", href: "/workspace/connect" }, "Connect a client") : null,
      ),
    );
    return;
  }
  fill(
    holder,
    tiles([
      ["Credits", credits(summary.credits), `in ${credits(summary.credits_in)} · out ${credits(summary.credits_out)}` + (summary.credits_actions ? ` · searches ${credits(summary.credits_actions)}` : "")],
      ["Requests", count(summary.requests), summary.errors ? `${count(summary.errors)} failed (${percent(summary.errors / summary.requests)})` : "none failed"],
      ["Tokens read", short(summary.input_tokens + summary.cache_read_tokens + summary.cache_write_5m_tokens + summary.cache_write_1h_tokens), cacheWords(summary)],
      ["Tokens written", short(summary.output_tokens), summary.thinking_tokens ? `${short(summary.thinking_tokens)} of them thinking` : ""],
      users ? ["Active people", count(summary.active_users), ""] : null,
    ].filter(Boolean)),
    card("Credits over time", trendChart(trend, interval)),
    el(
      "div",
      { class: "grid two" },
      card("By model", sums("By model", models.data, "Model", (row) => row.model)),
      card("By client", sums("By client", sources.data, "Client", (row) => row.client ?? "did not say")),
    ),
    users ? card("By person", peopleTable(people.data)) : null,
    card("When", heatMap(heat.data, credits), el("p", { class: "hint" }, `Credits by weekday and hour, ${zone}.`)),
    el("p", {}, el("a", { class: "button", href: withQuery("/v1/usage/events", { ...asked, limit: 1000 }), "data-csv": "yes", on: { click: (event) => download(event, asked) } }, "Download the rows as CSV")),
  );
}

function cacheWords(summary) {
  const read = summary.cache_read_tokens;
  return read ? `${short(read)} from the cache` : "";
}

function trendChart(trend, interval) {
  const label = { hour: (iso) => iso.slice(5, 16).replace("T", " "), day: (iso) => iso.slice(5, 10), month: (iso) => iso.slice(0, 7) }[interval];
  return chart({
    title: `Credits per ${interval}`,
    labels: trend.data.map((point) => label(point.start)),
    series: [
      { label: "Credits", values: trend.data.map((point) => point.credits) },
    ],
    format: credits,
  });
}

function sums(caption, rows, title, name) {
  const top = rows.slice(0, 8);
  return [
    chart({ kind: "bar", sideways: true, tabled: false, low: top.length < 4, title: caption, labels: top.map(name), series: [{ label: "Credits", values: top.map((row) => row.credits) }], format: credits }),
    table({
      caption,
      rows,
      nothing: null,
      columns: [
        { title, value: (row) => name(row), cut: true },
        { title: "Requests", value: (row) => count(row.requests), number: true, sort: (row) => row.requests },
        { title: "Credits", value: (row) => credits(row.credits), number: true, sort: (row) => row.credits },
      ],
    }),
  ];
}

function peopleTable(rows) {
  return table({
    caption: "By person",
    rows,
    nothing: null,
    columns: [
      { title: "Person", value: (row) => row.email ?? row.user_id, cut: true },
      { title: "Role", value: (row) => row.role ?? "no longer here" },
      { title: "Requests", value: (row) => count(row.requests), number: true, sort: (row) => row.requests },
      { title: "Failed", value: (row) => count(row.errors), number: true, sort: (row) => row.errors },
      { title: "Credits", value: (row) => credits(row.credits), number: true, sort: (row) => row.credits },
      {
        title: "This month of the cap",
        value: (row) => (row.role_limit === null ? "no cap" : `${credits(row.role_used)} / ${credits(row.role_limit)}`),
        number: true,
        sort: (row) => (row.role_limit ? row.role_used / row.role_limit : -1),
      },
    ],
  });
}

/** The rows as a file; the API gives CSV to whoever asks for it. */
async function download(event, query) {
  event.preventDefault();
  const reply = await fetch(withQuery("/v1/usage/events", query), { headers: { accept: "text/csv" } });
  const url = URL.createObjectURL(await reply.blob());
  el("a", { href: url, download: `usage-${query.start_date}.csv` }).click();
  URL.revokeObjectURL(url);
}
