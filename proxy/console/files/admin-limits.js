// Limits of the installation, web search, and the settings that hold.

import { button, card, el, facts, fill, freshId, pageHead, tell } from "./dom.js";
import { get, post, put } from "./api.js";
import { attempted } from "./dialogs.js";
import { ladderForm, ladderTable } from "./ladder.js";

export async function show(page, session) {
  const may = session.may("msp.settings");
  const [limits, search, installation] = await Promise.all([get("/v1/admin/limits"), get("/v1/admin/settings/web-search"), may ? get("/v1/admin/settings") : null]);
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
    webSearch(search, may, installation?.settings.web_search, redraw),
    installation ? settings(installation.settings) : null,
  );
}

function webSearch(state, may, service, redraw) {
  const set = (enabled) =>
    attempted(async () => {
      const said = await put("/v1/admin/settings/web-search", { enabled });
      tell(`Web search is ${said.enabled ? "on" : "off"}. It counts with the next request.`);
      await redraw();
      return said;
    });
  const id = freshId("web-search");
  const box = el("input", {
    id,
    type: "checkbox",
    role: "switch",
    checked: state.enabled,
    disabled: !may || Boolean(state.lacking),
    on: {
      change: async () => {
        if ((await set(box.checked)) === undefined) box.checked = !box.checked;
      },
    },
  });
  return card(
    "Web search",
    el("label", { class: "switch", for: id }, box, "Search the web for the models of this installation"),
    state.lacking ? el("p", { class: "notice warn" }, `Searches cannot be made: ${state.lacking}. The service and its key stand in the configuration, [web_search].`) : null,
    facts([
      ["Here", state.changed ? `changed; the configuration says ${state.default ? "on" : "off"}` : "as the configuration has it"],
      ["Service", service?.base_url],
      ["While it is off", service?.when_disabled],
    ]),
    el("p", { class: "hint" }, "Each tenant has a switch of its own on its page, too."),
    may && state.changed ? el("div", { class: "actions" }, button("Web search as configured", () => set(null))) : null,
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
