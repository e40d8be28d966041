// Models: on and off for the installation, a tenant or a role, with rates and multipliers.

import { badge, button, card, el, empty, fill, freshId, pageHead, tell } from "./dom.js";
import { get, put, remove, withQuery } from "./api.js";
import { attempted, confirmed, formDialog, openDialog } from "./dialogs.js";
import { count, dayOf, minuteOf, times } from "./formats.js";
import { table } from "./tables.js";
import { allTenants } from "./tenant-choice.js";

const HOUSE = "";

export async function show(page, session) {
  const msp = session.may("msp.view", "msp.models");
  const asked = new URLSearchParams(location.search);
  const tenants = session.may("msp.view", "msp.tenants", "msp.billing") ? await allTenants() : [{ id: session.tenant_id, name: session.tenant }];
  const roleId = asked.get("role");
  const role = roleId ? await get(`/v1/admin/roles/${encodeURIComponent(roleId)}`) : null;
  const chosen = role ? `roles/${role.id}` : asked.get("tenant") ? `tenants/${asked.get("tenant")}` : msp ? HOUSE : `tenants/${session.tenant_id}`;
  const id = freshId("scope");
  const scope = el(
    "select",
    { id, on: { change: () => draw() } },
    msp ? el("option", { value: HOUSE, selected: chosen === HOUSE }, "The whole installation") : null,
    role ? el("option", { value: chosen, selected: true }, `Role: ${role.display_name}`) : null,
    tenants.map((each) => el("option", { value: `tenants/${each.id}`, selected: chosen === `tenants/${each.id}` }, `Tenant: ${each.name}`)),
  );
  const list = el("div", { class: "fields" });

  async function draw() {
    fill(list, scope.value === HOUSE ? await houseTable(session, draw) : await scopeTable(scope.value, session, draw));
  }

  fill(
    page,
    pageHead("Models", "What is switched off here is gone from lists and answers “not found”, with the next request. Rates are credits per million tokens."),
    el("div", { class: "filters" }, el("div", { class: "field" }, el("label", { for: id }, "For"), scope)),
    card("", list),
  );
  await draw();
}

function toggle(name, on, may, change) {
  const id = freshId("model");
  const box = el("input", {
    id,
    type: "checkbox",
    role: "switch",
    checked: on,
    disabled: !may,
    "aria-label": `${name} is on`,
    on: {
      change: async () => {
        if ((await attempted(() => change(box.checked))) === undefined) box.checked = !box.checked;
      },
    },
  });
  return el("label", { class: "switch", for: id }, box, el("span", { class: "unseen" }, name));
}

async function houseTable(session, redraw) {
  const { models } = await get("/v1/admin/models");
  const may = session.may("msp.models");
  return table({
    caption: "Models of the installation",
    rows: models,
    nothing: empty("There is no model.", "Models stand in the configuration of the gateway."),
    columns: [
      { title: "On", value: (model) => toggle(model.name, model.enabled, may && model.state !== "no_rates", async (enabled) => { const said = await put(`/v1/admin/models/${encodeURIComponent(model.name)}`, { enabled }); tell(`${model.name} is ${enabled ? "on" : "off"}.`); await redraw(); return said; }), text: (model) => (model.enabled ? "on" : "off"), sort: (model) => Number(model.enabled) },
      { title: "Model", value: (model) => el("span", { class: "named" }, el("strong", {}, model.display_name), " ", el("code", {}, model.name)), text: (model) => `${model.display_name} ${model.name}` },
      { title: "Developer", value: (model) => model.developer },
      { title: "Multiplier", value: (model) => times(model.multiplier), number: true, sort: (model) => model.multiplier },
      { title: "Per million, in / out", value: (model) => (model.rates ? `${count(model.rates.input)} / ${count(model.rates.output)}` : badge("no rates", "bad")), number: true, sort: (model) => model.rates?.input ?? 0 },
      { title: "Deployments", value: (model) => model.deployments.map((each) => each.provider).join(", "), cut: true },
      { title: "Also", value: (model) => [model.base_level ? badge("base") : null, model.vision ? badge("vision") : null].filter(Boolean).reduce((all, each) => (all.append(each, " "), all), el("span")), text: () => "" },
    ],
    actions: (model) => button("Rates", () => showRates(model, may, redraw), { kind: "small", label: `Rates of ${model.display_name}` }),
  });
}

async function scopeTable(scope, session, redraw) {
  const [kind, owner] = scope.split("/");
  const path = `/v1/admin/${kind}/${encodeURIComponent(owner)}/models`;
  const { data } = await get(path);
  const may = kind === "tenants" ? session.may("models.disable", "msp.models") : session.may("roles.manage", "msp.roles");
  const own = kind === "tenants" ? "tenant" : "role";
  return table({
    caption: `Models of this ${own}`,
    rows: data,
    nothing: empty("There is no model.", "The installation has none."),
    columns: [
      { title: "On", value: (model) => toggle(model.name, model.enabled, may && (model.enabled || model.disabled_by === own), async (enabled) => { const said = await put(`${path}/${encodeURIComponent(model.name)}`, { enabled }); tell(said.warnings[0] ?? `${model.name} is ${enabled ? "on" : "off"}.`); await redraw(); return said; }), text: (model) => (model.enabled ? "on" : "off"), sort: (model) => Number(model.enabled) },
      { title: "Model", value: (model) => el("span", { class: "named" }, el("strong", {}, model.display_name), " ", el("code", {}, model.name)), text: (model) => `${model.display_name} ${model.name}` },
      { title: "Developer", value: (model) => model.developer },
      { title: "Multiplier", value: (model) => times(model.multiplier), number: true, sort: (model) => model.multiplier },
      { title: "Switched off by", value: (model) => (model.disabled_by ? badge(model.disabled_by === "msp" ? "the installation" : model.disabled_by, "warn") : "–") },
    ],
  });
}

async function showRates(model, may, redraw) {
  const { rates } = await get("/v1/admin/rates", { model: model.name, limit: 100 });
  const shown = openDialog(
    `Rates of ${model.display_name}`,
    el("p", { class: "quiet" }, "Credits per million tokens. What was charged is never priced again."),
    table({
      caption: "Rates that were set",
      rows: rates,
      filter: false,
      nothing: el("p", { class: "quiet" }, model.rates ? "Those of the configuration." : "None: the model cannot be switched on."),
      columns: [
        { title: "From", value: (each) => minuteOf(each.effective_from), sort: (each) => each.effective_from },
        { title: "In", value: (each) => count(each.rates.input ?? 0), number: true },
        { title: "Out", value: (each) => count(each.rates.output ?? 0), number: true },
        { title: "State", value: (each) => (each.to_come ? badge("to come", "accent") : "") },
      ],
      actions: may ? (each) => (each.to_come ? button("Withdraw", () => withdraw(model, each, () => { shown.close(); showRates(model, may, redraw); }), { kind: "small danger" }) : null) : null,
    }),
    el(
      "div",
      { class: "dialog-foot" },
      may ? button("Set rates", () => { shown.close(); setRates(model, redraw); }, { kind: "primary" }) : null,
      button("Close", () => shown.close()),
    ),
  );
}

function withdraw(model, rate, after) {
  confirmed("Withdraw these rates?", `Those from ${dayOf(rate.effective_from)} on will not come.`, "Withdraw", async () => {
    await remove(withQuery(`/v1/admin/rates/${encodeURIComponent(model.name)}`, { effective_from: rate.effective_from }));
    after();
  });
}

function setRates(model, redraw) {
  const of = (name) => ({ type: "number", min: "0", step: "1", value: model.rates?.[name] ?? 0, required: true, name });
  formDialog(`Rates of ${model.display_name}`, {
    submit: "Set",
    fields: [
      { ...of("input"), label: "Input" },
      { ...of("output"), label: "Output" },
      { ...of("cache_write_5m"), label: "Cache written for 5 minutes" },
      { ...of("cache_write_1h"), label: "Cache written for an hour" },
      { ...of("cache_read"), label: "Cache read" },
      { name: "effective_from", label: "From", type: "datetime-local", hint: "Empty: at once." },
    ],
    onSubmit: async ({ effective_from, ...figures }) => {
      const rates = Object.fromEntries(Object.entries(figures).map(([name, text]) => [name, Number(text)]));
      await put("/v1/admin/rates", { model: model.name, rates, ...(effective_from ? { effective_from: new Date(effective_from).toISOString() } : {}) });
      tell("The rates are set.");
      await redraw();
    },
  });
}
