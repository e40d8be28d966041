// Users: invited, changed, given a link to choose a password, moved, deleted.

import { badge, button, card, el, empty, fill, pageHead, tell } from "./dom.js";
import { every, get, patch, post, remove } from "./api.js";
import { attempted, confirmed, formDialog, openDialog } from "./dialogs.js";
import { copyButton } from "./clipboard.js";
import { dayOf, minuteOf } from "./formats.js";
import { table } from "./tables.js";
import { allTenants, isMsp, tenantChoice } from "./tenant-choice.js";

const STATUS = { Active: "good", Invited: "accent", Suspended: "warn" };

export async function show(page, session) {
  const msp = isMsp(session);
  const tenants = msp && session.may("msp.view", "msp.tenants", "msp.billing") ? await allTenants() : [{ id: session.tenant_id, name: session.tenant }];
  const list = el("div", { class: "fields" });
  const choice = tenantChoice(tenants, session, { all: msp ? "All tenants" : null, onChange: () => draw() });
  const tenantOf = () => choice.value() || session.tenant_id;
  const mayChange = session.may("users.manage", "msp.users");

  async function draw() {
    const users = await every("/v1/admin/users", { tenant_id: choice.value() }, (reply) => reply.data);
    fill(
      list,
      table({
        caption: "Users",
        rows: users,
        nothing: empty("Nobody is here yet.", "Invite people by their email address.", mayChange ? button("Invite people", () => invite(tenants, tenantOf(), draw), { kind: "primary" }) : null),
        columns: [
          { title: "User", value: (user) => [user.email, " ", el("small", {}, nameOf(user))], text: (user) => `${user.email} ${nameOf(user)}`, cut: "wide" },
          msp ? { title: "Tenant", value: (user) => user.tenant_name, cut: true } : null,
          { title: "Role", value: (user) => user.role, cut: true },
          { title: "Status", value: (user) => badge(user.status, STATUS[user.status]), text: (user) => user.status },
          { title: "Since", value: (user) => dayOf(user.created_at), sort: (user) => user.created_at },
        ].filter(Boolean),
        actions: mayChange
          ? (user) => [
              button("Change", () => change(user, session, tenants, draw), { kind: "small", label: `Change ${user.email}` }),
              session.passwords ? button("Sign-in link", () => link(user), { kind: "small", label: `Sign-in link for ${user.email}` }) : null,
              user.id === session.user_id ? null : button("Delete", () => drop(user, draw), { kind: "small danger", label: `Delete ${user.email}` }),
            ]
          : null,
      }),
    );
  }

  fill(
    page,
    pageHead("Users", "Who may come in, and as what.", mayChange ? button("Invite people", () => invite(tenants, tenantOf(), draw), { kind: "primary" }) : null),
    msp ? el("div", { class: "filters" }, choice.node) : null,
    card("", list),
  );
  await draw();
}

const nameOf = (user) => `${user.first_name} ${user.last_name}`.trim();

async function roleOptions(tenantId) {
  const { roles } = await get("/v1/admin/roles", { tenant_id: tenantId, limit: 100 });
  return roles.map((role) => ({ value: role.name, label: `${role.display_name}${role.user_credit_limit === null ? "" : ` · cap ${role.user_credit_limit}`}` }));
}

async function invite(tenants, tenantId, redraw) {
  formDialog("Invite people", {
    submit: "Invite",
    fields: [
      tenants.length > 1 ? { name: "tenant_id", label: "Tenant", type: "select", value: tenantId, options: tenants.map((each) => ({ value: each.id, label: each.name })) } : null,
      { name: "emails", label: "Email addresses", type: "textarea", required: true, hint: "One a line, a hundred at most." },
      { name: "role", label: "Role", type: "select", value: "general_user", options: await roleOptions(tenantId) },
    ],
    aliases: Object.fromEntries(Array.from({ length: 100 }, (_, number) => [[`users.${number}.email`, "emails"], [`users.${number}.role`, "role"]]).flat()),
    onSubmit: async ({ tenant_id, emails, role }) => {
      const users = emails.split(/[\s,;]+/).filter(Boolean).map((email) => ({ email, role }));
      const said = await post("/v1/admin/users/invite", { tenant_id: tenant_id ?? tenantId, users });
      const failed = said.users.filter((each) => each.status === "failed").map((each) => `${each.email}: ${each.error}`);
      tell([said.message, ...failed].join(" "));
      await redraw();
    },
  });
}

function inviteAgain(user) {
  return attempted(async () => {
    const said = await post(`/v1/admin/users/${user.id}/invite`);
    tell(said.message);
    return said;
  });
}

/** At which identity providers somebody is known, and the way to end that. */
async function links(user, close) {
  const { data } = await get(`/v1/admin/users/${user.id}/identities`);
  if (!data.length) return el("p", { class: "quiet" }, "Has not signed in by the identity provider yet.");
  const drop = () =>
    confirmed("Remove the link?", `The next who signs in there with the verified address ${user.email} is this user.`, "Remove the link", async () => {
      await remove(`/v1/admin/users/${user.id}/identities`);
      tell("The link is removed.");
      close();
    });
  return el(
    "div",
    { class: "fields" },
    data.map((each) => el("p", { class: "quiet" }, `Linked at ${each.issuer} since ${dayOf(each.linked_at)}.`)),
    el("div", { class: "actions" }, button("Remove the link", drop, { kind: "small" })),
  );
}

async function change(user, session, tenants, redraw) {
  const options = await roleOptions(user.tenant_id);
  if (!options.some((each) => each.value === user.role)) options.unshift({ value: user.role, label: user.role });
  const mayMove = session.may("msp.users") && tenants.length > 1;
  let opened = null;
  const known = session.single_sign_on ? await links(user, () => opened.close()) : null;
  const again =
    user.status === "Invited"
      ? el("div", { class: "actions" }, el("span", { class: "quiet" }, "Has not come yet."), button("Send the invitation again", () => inviteAgain(user), { kind: "small" }))
      : null;
  opened = formDialog(user.email, {
    fields: [
      { name: "first_name", label: "First name", value: user.first_name },
      { name: "last_name", label: "Last name", value: user.last_name },
      { name: "role", label: "Role", type: "select", value: user.role, options },
      { name: "status", label: "Status", type: "select", value: user.status === "Invited" ? "" : user.status, options: [...(user.status === "Invited" ? [{ value: "", label: "Invited" }] : []), { value: "Active", label: "Active" }, { value: "Suspended", label: "Suspended" }], hint: "A suspended user's keys and sessions do not work." },
      mayMove ? { name: "tenant_id", label: "Tenant", type: "select", value: user.tenant_id, options: tenants.map((each) => ({ value: each.id, label: each.name })), hint: "Whoever moves keeps their keys, and becomes a general user there." } : null,
    ],
    onSubmit: async (values) => {
      const wish = {};
      for (const name of ["first_name", "last_name", "role", "status"]) {
        if (values[name] !== user[name] && !(name === "status" && !values.status)) wish[name] = values[name];
      }
      if (Object.keys(wish).length) await patch(`/v1/admin/users/${user.id}`, wish);
      if (values.tenant_id && values.tenant_id !== user.tenant_id) await post(`/v1/admin/users/${user.id}/transfer`, { tenant_id: values.tenant_id });
      tell("Saved. It counts with the next request.");
      await redraw();
    },
  }, again, known);
}

function link(user) {
  confirmed(
    `A sign-in link for ${user.email}?`,
    "Whoever has the link chooses the password of this user, once, within three days. Links made before are no longer good. Hand it over by a way you trust.",
    "Make the link",
    async () => {
      const made = await post(`/v1/admin/users/${user.id}/sign-in-link`);
      const url = location.origin + made.path;
      const shown = openDialog(
        `Sign-in link for ${user.email}`,
        el("p", { class: "notice warn" }, `Good once, until ${minuteOf(made.expires_at)}. It is shown this one time.`),
        el("div", { class: "secret" }, el("code", { id: "sign-in-link" }, url), copyButton(url, { label: "Copy the link", what: "The link is copied.", kind: "primary" })),
        el("div", { class: "dialog-foot" }, button("Done", () => shown.close())),
      );
    },
  );
}

function drop(user, redraw) {
  confirmed(`Delete ${user.email}?`, "Their keys and sessions end at once. What they used stays in the books. This cannot be undone.", "Delete the user", async () => {
    await remove(`/v1/admin/users/${user.id}`);
    tell("The user is deleted.");
    await redraw();
  });
}
