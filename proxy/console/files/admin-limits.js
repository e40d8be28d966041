// Limits of the installation, web search, and the settings that hold.

import { badge, button, card, el, facts, fill, freshId, pageHead, tell } from "./dom.js";
import { get, post, put } from "./api.js";
import { attempted } from "./dialogs.js";
import { ladderForm, ladderTable } from "./ladder.js";

export async function show(page, session) {
  const may = session.may("msp.settings");
  const [limits, installation] = await Promise.all([get("/v1/admin/limits"), may ? get("/v1/admin/settings") : null]);
  const redraw = () => show(page, session);
  const save = (wish) =>
    attempted(async () => {
      await put("/v1/admin/limits", wish);
      tell("Saved. It counts with the next request.");
      await redraw();
    });
  const id = freshId("hard-stop");
  const hardStop = el("input", { id, type: "checkbox", role: "switch", checked: limits.hard_stop, disabled: !may, on: { change: () => save({ hard_stop: hardStop.checked }) } });
  fill(
    page,
    pageHead("Limits", "What happens once a tenant's allowance is used, unless its package or the tenant says otherwise.", may ? button("Read the configuration anew", () => attempted(async () => { await post("/v1/admin/reload"); tell("The configuration is read anew."); await redraw(); })) : null),
    card(
      "Limits ladder",
      limits.changed.length ? el("p", { class: "quiet" }, `Changed here: ${limits.changed.join(", ").replaceAll("_", " ")}.`) : el("p", { class: "quiet" }, "As the configuration has it."),
      ladderTable(limits.ladder),
      el("label", { class: "switch", for: id }, hardStop, "Stop everything as soon as an allowance is used"),
      may
        ? el(
            "div",
            { class: "actions" },
            button("Change the ladder", () => ladderForm(limits.ladder, async (ladder) => { await put("/v1/admin/limits", { ladder }); await redraw(); })),
            limits.changed.length ? button("Back to the configuration", () => save({ ladder: null, hard_stop: null })) : null,
          )
        : null,
    ),
    installation ? webSearch(installation.settings.web_search) : null,
    installation ? settings(installation.settings) : null,
  );
}

function webSearch(found) {
  return card(
    "Web search",
    facts([
      ["For the installation", found.enabled ? badge("on", "good") : badge("off", "warn")],
      ["Service", found.base_url],
      ["While it is off", found.when_disabled],
    ]),
    el("p", { class: "hint" }, "The switch of the installation stands in the configuration, [web_search]; each tenant has one of its own on its page."),
  );
}

function settings(sections) {
  return card(
    "Settings that hold",
    Object.entries(sections).map(([name, values]) =>
      el("details", {}, el("summary", {}, name), facts(Object.entries(values).map(([key, value]) => [key, typeof value === "object" ? JSON.stringify(value) : String(value)]))),
    ),
    el("p", { class: "hint" }, "Secrets are not shown. Ports, storage and times need a restart."),
  );
}
