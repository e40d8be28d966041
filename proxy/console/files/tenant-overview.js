// One tenant in full: its month, package and credit packs, settings, limits.

import { badge, button, card, el, empty, facts, fill, pageHead, tell, tiles } from "./dom.js";
import { get, patch, post, put, remove } from "./api.js";
import { allowanceCard } from "./allowance.js";
import { attempted, confirmed, formDialog } from "./dialogs.js";
import { count, credits, dayOf, percent } from "./formats.js";
import { form } from "./forms.js";
import { ladderForm, ladderTable } from "./ladder.js";
import { table } from "./tables.js";

export async function showTenant(page, session, tenantId) {
  const path = `/v1/admin/tenants/${encodeURIComponent(tenantId)}`;
  const maySeeUsage = session.may("usage.view", "msp.view");
  const maySeePacks = session.may("msp.view", "msp.billing");
  const redraw = () => showTenant(page, session, tenantId);
  const [tenant, month, limits, packs] = await Promise.all([
    get(path),
    maySeeUsage ? get(`${path}/usage`) : null,
    maySeeUsage ? get("/v1/usage/limits", { tenant_id: tenantId }) : null,
    maySeePacks ? get("/v1/admin/credit-packs", { tenant_id: tenantId }) : null,
  ]);
  const own = tenantId === session.tenant_id;
  fill(
    page,
    pageHead(
      tenant.name,
      `${tenant.user_count === 1 ? "1 person" : `${tenant.user_count} people`} · since ${dayOf(tenant.created_at)}`,
      badge(tenant.status, tenant.status === "Active" ? "good" : "warn"),
      session.may("users.manage", "msp.users", "msp.view") ? el("a", { class: "button", href: `/admin/users?tenant=${encodeURIComponent(tenantId)}` }, "People") : null,
      session.may("models.disable", "msp.view", "msp.models") ? el("a", { class: "button", href: `/admin/models?tenant=${encodeURIComponent(tenantId)}` }, "Models") : null,
      session.may("msp.view") ? el("a", { class: "button", href: `/admin/usage?tenant=${encodeURIComponent(tenantId)}` }, "Usage") : null,
    ),
    month
      ? tiles([
          ["Credits this month", credits(month.total_credits_used), month.total_credit_limit === null ? "no limit" : `of ${credits(month.total_credit_limit)}`],
          ["Requests", count(month.requests), month.errors ? `${count(month.errors)} failed` : "none failed"],
          ["Active people", `${count(month.active_users)} of ${count(month.user_count)}`, month.active_users ? `${credits(month.credits / month.active_users)} credits each` : ""],
        ])
      : null,
    limits
      ? allowanceCard("Allowance", { used: limits.tenant.credits_used, limit: limits.tenant.credit_limit, state: limits.tenant.state, resetsAt: limits.period.resets_at, about: "Package and credit packs together." })
      : null,
    el("div", { class: "grid two" }, packageCard(tenant, path, session, redraw), settingsCard(tenant, path, session, own, redraw)),
    packs ? packsCard(packs.credit_packs, tenantId, session, redraw) : null,
    limitsCard(tenant, limits, path, session, redraw),
  );
}

function packageCard(tenant, path, session, redraw) {
  const to = tenant.next_package_from ? `${tenant.next_package_name ?? "none"} from ${dayOf(tenant.next_package_from)}` : null;
  return card(
    "Package",
    facts([
      ["Now", tenant.primary_package_name ?? "none: no limit"],
      ["Then", to],
      ["Credits a month", credits(tenant.total_credit_limit)],
    ]),
    session.may("msp.billing")
      ? el(
          "div",
          { class: "actions" },
          button("Change the package", () => changePackage(tenant, path, redraw)),
          to ? button("Stay with the present one", () => attempted(async () => { await remove(`${path}/package`); tell("It stays."); await redraw(); })) : null,
        )
      : null,
  );
}

async function changePackage(tenant, path, redraw) {
  const { packages } = await get("/v1/admin/packages", { limit: 1000 });
  formDialog(
    "Change the package",
    {
      submit: "Change it",
      fields: [
        {
          name: "package_id",
          label: "Package",
          type: "select",
          value: tenant.package_id ?? "",
          options: [{ value: "", label: "none: no limit" }, ...packages.map((each) => ({ value: each.id, label: `${each.name} · ${credits(each.monthly_credits)} a month` }))],
        },
      ],
      onSubmit: async ({ package_id }) => {
        const said = await put(`${path}/package`, { package_id: package_id || null });
        tell(said.next_package_from ? `It changes on ${dayOf(said.next_package_from)}.` : "It counts with the next request.");
        await redraw();
      },
    },
    el("p", { class: "quiet" }, "More credits count at once; fewer from the first day of the next month."),
  );
}

function packsCard(packs, tenantId, session, redraw) {
  const mayChange = session.may("msp.billing");
  const add = () =>
    formDialog("Add a credit pack", {
      submit: "Add it",
      fields: [
        { name: "credits", label: "Credits", type: "number", min: "0", step: "any", required: true },
        { name: "name", label: "Name", hint: "Empty: after the number of credits." },
        { name: "recurring", label: "Every month from now on", type: "checkbox", hint: "Otherwise for this month only." },
      ],
      onSubmit: async ({ credits: amount, name, recurring }) => {
        await post("/v1/admin/credit-packs", { tenant_id: tenantId, credits: Number(amount), recurring, ...(name ? { name } : {}) });
        tell("The credits count with the next request.");
        await redraw();
      },
    });
  return card(
    "Credit packs",
    table({
      caption: "Credit packs",
      rows: packs,
      filter: false,
      nothing: empty("No credit packs.", "A pack adds credits beside the package, for one month or for all."),
      columns: [
        { title: "Name", value: (each) => each.name },
        { title: "Credits", value: (each) => credits(each.credits), number: true, sort: (each) => each.credits },
        { title: "Valid", value: (each) => `${dayOf(each.valid_from)} – ${each.valid_until ? dayOf(each.valid_until) : "open"}`, sort: (each) => each.valid_from },
        { title: "State", value: (each) => (each.counts ? badge("counts now", "good") : badge("not now")) },
      ],
      actions: mayChange
        ? (each) =>
            button("Remove", () => confirmed("Remove this pack?", `“${each.name}” no longer counts, from the next request on.`, "Remove it", async () => { await remove(`/v1/admin/credit-packs/${each.id}`); await redraw(); }), { kind: "small danger", label: `Remove the pack ${each.name}` })
        : null,
    }),
    mayChange ? el("div", { class: "actions" }, button("Add credits", add)) : null,
  );
}

function settingsCard(tenant, path, session, own, redraw) {
  const mayStatus = session.may("msp.tenants");
  const mayConfig = mayStatus || (own && session.may("tenant.manage"));
  if (!mayConfig) {
    return card("Settings", facts([["Web search", tenant.tenant_config.web_search ? "on" : "off"], ["Default model", tenant.tenant_config.default_model_name]]));
  }
  return card(
    "Settings",
    form({
      fields: [
        mayStatus ? { name: "name", label: "Name", value: tenant.name, required: true } : null,
        mayStatus
          ? { name: "status", label: "Status", type: "select", value: tenant.status, options: ["Active", "Suspended", "Archived"].map((value) => ({ value, label: value })), hint: "Nobody of a tenant that is not Active may come in." }
          : null,
        { name: "web_search", label: "Web search", type: "checkbox", value: tenant.tenant_config.web_search, hint: "Where the installation has it." },
        { name: "beta_features", label: "Beta features", type: "checkbox", value: tenant.tenant_config.beta_features },
      ],
      onSubmit: async (values) => {
        const change = { tenant_config: { web_search: values.web_search, beta_features: values.beta_features } };
        if (mayStatus && values.name !== tenant.name) change.name = values.name;
        if (mayStatus && values.status !== tenant.status) change.status = values.status;
        const said = await patch(path, change);
        tell(said.warnings[0] ?? "Saved. It counts with the next request.");
        await redraw();
      },
    }),
  );
}

function limitsCard(tenant, limits, path, session, redraw) {
  const mayChange = session.may("msp.billing", "msp.tenants");
  if (!limits) return null;
  const burst = tenant.burst ?? {};
  const number = (text) => (text === "" ? null : Number(text));
  const changeBurst = () =>
    formDialog(
      "Burst limits",
      {
        fields: [
          { name: "requests_per_minute", label: "Requests per minute", type: "number", min: "1", step: "1", value: burst.requests_per_minute ?? "" },
          { name: "tokens_per_minute", label: "Tokens per minute", type: "number", min: "1", step: "1", value: burst.tokens_per_minute ?? "" },
          { name: "streams", label: "Requests at a time", type: "number", min: "1", step: "1", value: burst.streams ?? "" },
        ],
        onSubmit: async (values) => {
          const wish = Object.fromEntries(Object.entries(values).map(([name, text]) => [name, number(text)]));
          await patch(path, { burst: Object.values(wish).every((value) => value === null) ? null : wish });
          tell("Saved.");
          await redraw();
        },
      },
      el("p", { class: "quiet" }, "Empty: no limit. All empty: those of the installation."),
    );
  return card(
    "Limits ladder",
    el("p", { class: "quiet" }, tenant.ladder ? "This tenant has a ladder of its own." : "The ladder of its package, or of the installation."),
    ladderTable(limits.tenant.ladder),
    facts([
      ["Requests per minute", burst.requests_per_minute ? count(burst.requests_per_minute) : "as the installation has it"],
      ["Tokens per minute", burst.tokens_per_minute ? count(burst.tokens_per_minute) : null],
      ["At a time", burst.streams ? count(burst.streams) : null],
      ["Used", limits.tenant.ratio === null ? "no limit" : percent(limits.tenant.ratio)],
    ]),
    mayChange
      ? el(
          "div",
          { class: "actions" },
          button("Change the ladder", () => ladderForm(tenant.ladder ?? limits.tenant.ladder, async (ladder) => { await patch(path, { ladder }); await redraw(); })),
          tenant.ladder ? button("Back to the usual ladder", () => attempted(async () => { await patch(path, { ladder: null }); await redraw(); })) : null,
          button("Burst limits", changeBurst),
        )
      : null,
  );
}
