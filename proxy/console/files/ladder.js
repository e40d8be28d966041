// The ladder: from which share of an allowance on which models are restricted.

import { badge, button, el, fill, freshId } from "./dom.js";
import { Refused } from "./api.js";
import { openDialog } from "./dialogs.js";
import { credits, percent, times } from "./formats.js";
import { table } from "./tables.js";

const what = (step) => (step.multiplier === null || step.multiplier === undefined ? "everything but base models" : `models of ${times(step.multiplier)} and more`);

export function ladderTable(steps) {
  const isOfOne = steps.some((step) => step.credits !== undefined);
  return table({
    caption: "Limits ladder",
    rows: steps,
    filter: false,
    nothing: el("p", { class: "quiet" }, "No steps: nothing is restricted."),
    columns: [
      { title: "From", value: (step) => percent(step.ratio), sort: (step) => step.ratio },
      { title: "Restricted", value: what },
      isOfOne ? { title: "That is", value: (step) => (step.credits === undefined || step.credits === null ? "–" : `${credits(step.credits)} credits`), number: true, sort: (step) => step.credits ?? 0 } : null,
      isOfOne ? { title: "State", value: (step) => (step.reached ? badge("reached", "bad") : badge("not reached")) } : null,
    ].filter(Boolean),
  });
}

/** Changes it in a window; `save(ladder)` may throw what the API refused. */
export function ladderForm(steps, save) {
  const rows = el("div", { class: "fields" });
  const trouble = el("p", { class: "notice bad", role: "alert", hidden: true });

  function row(step) {
    const ids = { ratio: freshId("ratio"), multiplier: freshId("multiplier") };
    const ratio = el("input", { id: ids.ratio, type: "number", min: "1", step: "any", value: step ? Math.round(step.ratio * 1000) / 10 : "", required: true });
    const multiplier = el("input", { id: ids.multiplier, type: "number", min: "0", step: "any", value: step?.multiplier ?? "", placeholder: "all but base" });
    const made = el(
      "div",
      { class: "fields row" },
      el("div", { class: "field" }, el("label", { for: ids.ratio }, "From % of the allowance"), ratio),
      el("div", { class: "field" }, el("label", { for: ids.multiplier }, "Models of at least ×"), multiplier),
      el("div", { class: "field" }, el("span", { class: "legend" }, " "), button("Remove the step", () => made.remove(), { kind: "small" })),
    );
    made.read = () => ({ ratio: Number(ratio.value) / 100, multiplier: multiplier.value === "" ? null : Number(multiplier.value) });
    return made;
  }

  const send = button(
    "Save",
    async () => {
      trouble.hidden = true;
      try {
        await save([...rows.children].map((each) => each.read()));
        made.close();
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        trouble.textContent = error.field ? `${error.field}: ${error.message}` : error.message;
        trouble.hidden = false;
      }
    },
    { kind: "primary" },
  );
  fill(rows, steps.map(row));
  const made = openDialog(
    "Limits ladder",
    el("p", { class: "quiet" }, "Once so much of the allowance is used, models that cost so much more than the reference are restricted. An empty multiplier: everything but base models."),
    rows,
    el("div", { class: "actions" }, button("Add a step", () => rows.append(row(null)), { kind: "small" })),
    trouble,
    el("div", { class: "dialog-foot" }, button("Cancel", () => made.close()), send),
  );
}
