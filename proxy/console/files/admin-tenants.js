// Tenants: all of them, and one in full.

import { badge, button, card, el, empty, fill, pageHead, tell } from "./dom.js";
import { get, post } from "./api.js";
import { formDialog } from "./dialogs.js";
import { credits, dayOf, percent } from "./formats.js";
import { table } from "./tables.js";
import { allTenants } from "./tenant-choice.js";
import { showTenant } from "./tenant-overview.js";

export async function show(page, session) {
  const asked = new URLSearchParams(location.search).get("id");
  if (asked) {
    await showTenant(page, session, asked);
    return;
  }
  const tenants = await allTenants();
  if (tenants.length === 1 && !session.may("msp.view", "msp.tenants", "msp.billing")) {
    await showTenant(page, session, tenants[0].id);
    return;
  }
  const mayMake = session.may("msp.tenants");
  const make = () => makeTenant(session);
  fill(
    page,
    pageHead("Tenants", "The workspaces of this installation.", mayMake ? button("New tenant", make, { kind: "primary" }) : null),
    card(
      "",
      table({
        caption: "Tenants",
        rows: tenants,
        nothing: empty("There is no tenant yet.", "A tenant is a workspace with its own people, allowance and models.", mayMake ? button("New tenant", make, { kind: "primary" }) : null),
        columns: [
          { title: "Name", value: (each) => el("a", { href: `/admin/tenants?id=${encodeURIComponent(each.id)}` }, each.name), text: (each) => each.name, cut: true },
          { title: "Package", value: (each) => each.primary_package_name ?? "none", text: (each) => [each.primary_package_name, ...each.additional_package_names].join(" ") },
          { title: "Used this month", value: usedOf, number: true, sort: (each) => each.total_credits_used },
          { title: "People", value: (each) => each.user_count, number: true, sort: (each) => each.user_count },
          { title: "Status", value: (each) => badge(each.status, each.status === "Active" ? "good" : "warn") },
          { title: "Since", value: (each) => dayOf(each.created_at), sort: (each) => each.created_at },
        ],
      }),
    ),
  );
}

function usedOf(tenant) {
  if (tenant.total_credit_limit === null) return credits(tenant.total_credits_used);
  const ratio = tenant.total_credit_limit ? tenant.total_credits_used / tenant.total_credit_limit : 1;
  const kind = ratio >= 1 ? "bad" : ratio >= 0.8 ? "warn" : "";
  return el("span", {}, `${credits(tenant.total_credits_used)} / ${credits(tenant.total_credit_limit)} `, badge(percent(ratio), kind));
}

async function makeTenant() {
  const [packages, templates] = await Promise.all([get("/v1/admin/packages", { limit: 1000 }), get("/v1/admin/tenants/templates")]);
  formDialog("New tenant", {
    submit: "Make the tenant",
    fields: [
      { name: "tenant_name", label: "Name", required: true, maxlength: 200 },
      { name: "package_id", label: "Package", type: "select", options: [{ value: "", label: "none: no limit" }, ...packages.packages.map((each) => ({ value: each.id, label: `${each.name} · ${credits(each.monthly_credits)} a month` }))] },
      templates.templates.length ? { name: "template_id", label: "Template", type: "select", options: [{ value: "", label: "none" }, ...templates.templates.map((each) => ({ value: each.id, label: each.name }))] } : null,
      { name: "email", label: "Its first administrator", type: "email", hint: "Optional. They are invited; make them a sign-in link under Users." },
    ],
    aliases: { "tenants.0.tenant_name": "tenant_name", "tenants.0.users.0.email": "email", "tenants.0.package_id": "package_id" },
    onSubmit: async ({ tenant_name, package_id, template_id, email }) => {
      const tenant = { tenant_name, users: email ? [{ email, role: "client_admin" }] : [] };
      if (package_id) tenant.package_id = package_id;
      if (template_id) tenant.template_id = template_id;
      const made = await post("/v1/admin/tenants", { tenants: [tenant] });
      tell(made.message);
      location.assign(`/admin/tenants?id=${encodeURIComponent(made.tenants[0].id)}`);
    },
  });
}
