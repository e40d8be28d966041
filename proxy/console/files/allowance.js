// How much of an allowance is used, as a bar with its words.

import { badge, el } from "./dom.js";
import { credits, dayOf, percent, stateOf } from "./formats.js";

export function allowanceCard(title, { used, limit, state, resetsAt, about }) {
  const [words, kind] = stateOf(state);
  const ratio = limit ? used / limit : 0;
  return el(
    "section",
    { class: "card" },
    el("div", { class: "card-head" }, el("h2", {}, title), limit === null ? badge("no limit", "good") : badge(words, kind)),
    el("p", {}, el("strong", {}, credits(used)), limit === null ? " credits used this month" : ` of ${credits(limit)} credits (${percent(ratio)})`),
    limit === null
      ? null
      : el("progress", { max: "1", value: Math.min(1, ratio), class: kind === "good" ? "" : kind, "aria-label": `${title}: ${percent(ratio)} used` }),
    el("p", { class: "hint" }, about, ` Starts anew on ${dayOf(resetsAt)}.`),
  );
}
