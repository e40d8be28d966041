// Roles: what they allow, what they cap.

import { badge, button, card, el, empty, fill, pageHead, tell } from "./dom.js";
import { get, patch, post, remove } from "./api.js";
import { confirmed, formDialog } from "./dialogs.js";
import { credits } from "./formats.js";
import { table } from "./tables.js";
import { allTenants, isMsp, tenantChoice } from "./tenant-choice.js";

export async function show(page, session) {
  const msp = session.may("msp.view");
  const [tenants, catalogue] = await Promise.all([msp ? allTenants() : [], get("/v1/admin/permissions")]);
  const list = el("div", { class: "fields" });
  const choice = tenantChoice(tenants, session, { chosen: session.tenant_id, label: "Roles that people of this tenant can have", onChange: () => draw() });
  const tenantOf = () => (msp ? choice.value() : session.tenant_id);
  const mayChange = session.may("roles.manage", "msp.roles");
  const mayChangeOf = (role) => mayChange && (role.scope !== null || isMsp(session));

  async function draw() {
    const { roles } = await get("/v1/admin/roles", { tenant_id: tenantOf(), limit: 100 });
    fill(
      list,
      table({
        caption: "Roles",
        rows: roles,
        nothing: empty("There is no role.", "Make one of your own."),
        columns: [
          { title: "Role", value: (role) => el("span", { class: "named" }, el("strong", {}, role.display_name), " ", el("code", {}, role.name)), text: (role) => `${role.display_name} ${role.name}` },
          { title: "Kind", value: (role) => badge(role.role_source === "custom" ? "own" : "default", role.role_source === "custom" ? "accent" : "") },
          { title: "Permissions", value: (role) => role.permissions_count, number: true, sort: (role) => role.permissions_count },
          { title: "Cap for each user", value: (role) => (role.user_credit_limit === null ? "no cap" : `${credits(role.user_credit_limit)} a month`), number: true, sort: (role) => role.user_credit_limit ?? Infinity },
          { title: "People", value: (role) => role.assigned_users_count, number: true, sort: (role) => role.assigned_users_count },
        ],
        actions: (role) => [
          mayChangeOf(role) ? button("Change", () => edit(role, catalogue.permissions, draw), { kind: "small", label: `Change the role ${role.display_name}` }) : null,
          el("a", { class: "button small", href: `/admin/models?role=${encodeURIComponent(role.id)}`, "aria-label": `Models of the role ${role.display_name}` }, "Models"),
          mayChange && role.role_source === "custom" ? button("Delete", () => drop(role, draw), { kind: "small danger", label: `Delete the role ${role.display_name}` }) : null,
        ],
      }),
    );
  }

  fill(
    page,
    pageHead("Roles", "What people may do, and how many credits each may use in a month.", mayChange ? button("New role", () => make(tenantOf(), catalogue.permissions, draw), { kind: "primary" }) : null),
    msp ? el("div", { class: "filters" }, choice.node) : null,
    card("", list),
  );
  await draw();
}

function fieldsOf(permissions, role) {
  return [
    { name: "display_name", label: "Name", value: role?.display_name ?? "", required: true },
    { name: "description", label: "What it is for", value: role?.description ?? "" },
    { name: "user_credit_limit", label: "Cap: credits a month for each user", type: "number", min: "0", step: "any", value: role?.user_credit_limit ?? "", hint: "Empty: no cap. At the cap everything is refused until the month ends." },
    {
      name: "permissions",
      label: "May",
      type: "checks",
      value: role?.permissions ?? ["gateway.use", "keys.create"],
      options: permissions.filter((each) => !each.msp_only || role?.permissions.includes(each.name)).map((each) => ({ value: each.name, label: each.description, hint: each.name, disabled: !each.grantable && !role?.permissions.includes(each.name) })),
    },
  ];
}

const cap = (text) => (text === "" ? null : Number(text));

function make(tenantId, permissions, redraw) {
  formDialog("New role", {
    submit: "Make the role",
    fields: [{ name: "name", label: "Slug", required: true, hint: "Small letters, digits and _, such as data_team. It cannot be changed." }, ...fieldsOf(permissions, null)],
    onSubmit: async (values) => {
      await post("/v1/admin/roles", { ...values, user_credit_limit: cap(values.user_credit_limit), tenant_id: tenantId });
      tell("The role is there.");
      await redraw();
    },
  });
}

async function edit(summary, permissions, redraw) {
  const role = await get(`/v1/admin/roles/${summary.id}`);
  formDialog(role.display_name, {
    fields: fieldsOf(permissions, role),
    onSubmit: async (values) => {
      await patch(`/v1/admin/roles/${role.id}`, { ...values, user_credit_limit: cap(values.user_credit_limit) });
      tell("Saved. It counts with the next request.");
      await redraw();
    },
  });
}

function drop(role, redraw) {
  confirmed(`Delete the role ${role.display_name}?`, "Only a role that nobody has can be deleted.", "Delete the role", async () => {
    await remove(`/v1/admin/roles/${role.id}`);
    tell("The role is deleted.");
    await redraw();
  });
}
