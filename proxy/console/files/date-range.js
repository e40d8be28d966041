// A stretch of days to look at: some that are often wanted, or any.

import { el, freshId } from "./dom.js";
import { daysFrom, isoDay } from "./formats.js";

const TODAY = () => new Date();
const CHOICES = {
  month: ["This month", () => [new Date(TODAY().getFullYear(), TODAY().getMonth(), 1), daysFrom(TODAY(), 1)]],
  last: ["Last month", () => [new Date(TODAY().getFullYear(), TODAY().getMonth() - 1, 1), new Date(TODAY().getFullYear(), TODAY().getMonth(), 1)]],
  week: ["7 days", () => [daysFrom(TODAY(), -6), daysFrom(TODAY(), 1)]],
  thirty: ["30 days", () => [daysFrom(TODAY(), -29), daysFrom(TODAY(), 1)]],
  quarter: ["90 days", () => [daysFrom(TODAY(), -89), daysFrom(TODAY(), 1)]],
  own: ["From … to …", null],
};

/** `onChange({start_date, end_date})` is told; the end is the first day that is no longer meant. */
export function dateRange(onChange) {
  const ids = { choice: freshId("range"), from: freshId("from"), to: freshId("to") };
  const choice = el(
    "select",
    { id: ids.choice, on: { change: changed } },
    Object.entries(CHOICES).map(([value, [label]]) => el("option", { value }, label)),
  );
  const from = el("input", { id: ids.from, type: "date", value: isoDay(daysFrom(TODAY(), -6)), on: { change: changed } });
  const to = el("input", { id: ids.to, type: "date", value: isoDay(TODAY()), on: { change: changed } });
  const own = [
    el("div", { class: "field narrow", hidden: true }, el("label", { for: ids.from }, "From"), from),
    el("div", { class: "field narrow", hidden: true }, el("label", { for: ids.to }, "To, inclusive"), to),
  ];

  function read() {
    const days = CHOICES[choice.value][1]?.();
    if (days) return { start_date: isoDay(days[0]), end_date: isoDay(days[1]) };
    const [year, month, day] = to.value.split("-").map(Number);
    return { start_date: from.value, end_date: isoDay(new Date(year, month - 1, day + 1)) };
  }

  function changed() {
    for (const each of own) each.hidden = choice.value !== "own";
    if (choice.value !== "own" || (from.value && to.value)) onChange(read());
  }

  return { nodes: [el("div", { class: "field narrow" }, el("label", { for: ids.choice }, "Range"), choice), ...own], read };
}
