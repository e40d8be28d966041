// Which tenant a page is about: a list for the MSP's people, one's own for everybody else.

import { el, freshId } from "./dom.js";
import { every } from "./api.js";

export const ALL = "";

export function isMsp(session) {
  return session.may("msp.view", "msp.tenants", "msp.billing", "msp.users", "msp.models", "msp.roles");
}

export const allTenants = () => every("/v1/admin/tenants", {}, (rows) => rows);

/** `all` is what stands for every tenant; without it one is always chosen. `value()` is its id. */
export function tenantChoice(tenants, session, { all = null, chosen = null, label = "Tenant", onChange }) {
  const asked = chosen ?? new URLSearchParams(location.search).get("tenant") ?? (all === null ? session.tenant_id : ALL);
  const id = freshId("tenant");
  const control = el(
    "select",
    { id, on: { change: () => onChange(control.value) } },
    all === null ? null : el("option", { value: ALL, selected: asked === ALL }, all),
    tenants.map((each) => el("option", { value: each.id, selected: each.id === asked }, each.name)),
  );
  return {
    node: el("div", { class: "field" }, el("label", { for: id }, label), control),
    value: () => control.value,
  };
}
