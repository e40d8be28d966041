// Charts by Chart.js, which is fetched only where one is shown. Beside each stands the same as a
// table, for whoever cannot see it.

import { el } from "./dom.js";

async function library() {
  await import("./chart.js");
  return globalThis.Chart;
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

const SERIES = ["--accent", "--good", "--warn", "--bad", "--line-strong"];

/** `kind` is line or bar; `series` are `{label, values}`; `sideways` for bars with long names;
 *  without `tabled` the figures stand in a table nearby. */
export function chart({ kind = "line", title, labels, series, sideways = false, low = false, format = String, stacked = false, tabled = true }) {
  const canvas = el("canvas", { role: "img", "aria-label": title });
  const holder = el("div", { class: ["chart", low && "low"] }, canvas);
  draw(canvas, { kind, labels, series, sideways, format, stacked });
  return el("div", { class: "fields" }, holder, tabled ? asTable(title, labels, series, format) : null);
}

async function draw(canvas, { kind, labels, series, sideways, format, stacked }) {
  const Chart = await library();
  if (!canvas.isConnected) return;
  const text = colour("--quiet");
  const figures = { beginAtZero: true, stacked, ticks: { color: text, callback: format, maxTicksLimit: 6 }, grid: { color: colour("--line") }, border: { display: false } };
  const names = { stacked, ticks: { color: text, maxRotation: 0, autoSkip: !sideways, autoSkipPadding: 14 }, grid: { display: false }, border: { color: colour("--line") } };
  const made = new Chart(canvas, {
    type: kind,
    data: {
      labels,
      datasets: series.map((each, number) => {
        const own = colour(SERIES[number % SERIES.length]);
        return {
          label: each.label,
          data: each.values,
          borderColor: own,
          backgroundColor: kind === "line" ? `color-mix(in srgb, ${own} 14%, transparent)` : own,
          fill: kind === "line" && number === 0,
          borderWidth: kind === "line" ? 2 : 0,
          borderRadius: 4,
          maxBarThickness: 26,
          pointRadius: labels.length > 45 ? 0 : 2,
          pointHitRadius: 12,
          tension: 0.25,
        };
      }),
    },
    options: {
      animation: false,
      maintainAspectRatio: false,
      indexAxis: sideways ? "y" : "x",
      scales: sideways ? { x: figures, y: names } : { x: names, y: figures },
      plugins: {
        legend: { display: series.length > 1, labels: { color: text, boxWidth: 12 } },
        tooltip: { callbacks: { label: (item) => `${item.dataset.label}: ${format(sideways ? item.parsed.x : item.parsed.y)}` } },
      },
    },
  });
  // A canvas keeps the colours it was drawn with: light or dark is drawn anew.
  const again = () => {
    removeEventListener("theme", again);
    made.destroy();
    if (canvas.isConnected) draw(canvas, { kind, labels, series, sideways, format, stacked });
  };
  addEventListener("theme", again);
}

function asTable(title, labels, series, format) {
  return el(
    "details",
    { class: "hint" },
    el("summary", {}, "As a table"),
    el(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": title },
      el(
        "table",
        {},
        el("caption", {}, title),
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, " "), series.map((each) => el("th", { scope: "col", class: "number" }, each.label)))),
        el("tbody", {}, labels.map((label, row) => el("tr", {}, el("th", { scope: "row" }, label), series.map((each) => el("td", { class: "number" }, format(each.values[row])))))),
      ),
    ),
  );
}

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/** 7 × 24 credits, Sunday first; darker is more, an outline is nothing. */
export function heatMap(rows, format) {
  const most = Math.max(0, ...rows.flat());
  const level = (value) => (value <= 0 ? "" : `h${Math.max(1, Math.ceil((value / most) * 4))}`);
  const hours = Array.from({ length: 24 }, (_, hour) => hour);
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": "Heat map of credits by weekday and hour" },
    el(
      "div",
      { class: "heat", role: "img", "aria-label": heatWords(rows, format) },
      el("span", {}, ""),
      hours.map((hour) => el("span", {}, hour % 3 ? "" : hour)),
      rows.map((values, number) => [
        el("span", { class: "day" }, DAYS[number]),
        values.map((value, hour) => el("i", { class: level(value), title: `${DAYS[number]} ${hour}:00 – ${format(value)} credits` })),
      ]),
    ),
  );
}

function heatWords(rows, format) {
  const sums = rows.map((values, number) => `${DAYS[number]} ${format(values.reduce((one, other) => one + other, 0))}`);
  return `Credits by weekday: ${sums.join(", ")}`;
}
