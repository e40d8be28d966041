// API keys of everybody the caller may see: whose they are, when they were used, revoked.

import { badge, button, card, el, empty, fill, freshId, pageHead, tell } from "./dom.js";
import { every, remove } from "./api.js";
import { confirmed } from "./dialogs.js";
import { dayOf, minuteOf } from "./formats.js";
import { table } from "./tables.js";
import { allTenants, isMsp, tenantChoice } from "./tenant-choice.js";

export async function show(page, session) {
  const msp = isMsp(session);
  const tenants = msp && session.may("msp.view", "msp.tenants", "msp.billing") ? await allTenants() : [{ id: session.tenant_id, name: session.tenant }];
  const mayRevoke = session.may("users.manage", "msp.users");
  const list = el("div", { class: "fields" });
  const choice = tenantChoice(tenants, session, { all: msp ? "All tenants" : null, onChange: () => draw() });
  const id = freshId("revoked");
  const revoked = el("input", { id, type: "checkbox", role: "switch", on: { change: () => draw() } });

  async function draw() {
    const keys = await every("/v1/admin/api-keys", { tenant_id: choice.value(), live: !revoked.checked }, (reply) => reply.data);
    fill(
      list,
      table({
        caption: "API keys",
        rows: keys,
        nothing: empty("There is no API key.", "People make their own under Workspace > API Keys, where their role lets them."),
        columns: [
          { title: "User", value: (key) => key.email, cut: "wide" },
          msp ? { title: "Tenant", value: (key) => key.tenant_name, cut: true } : null,
          { title: "Name", value: (key) => key.name || el("span", { class: "quiet" }, "without a name"), cut: true, sort: (key) => key.name },
          { title: "Key", value: (key) => el("code", {}, `${key.prefix}…`) },
          { title: "Made", value: (key) => dayOf(key.created_at), sort: (key) => key.created_at },
          { title: "Last used", value: (key) => (key.last_used_at ? minuteOf(key.last_used_at) : badge("never")), sort: (key) => key.last_used_at ?? "" },
          { title: "State", value: stateOf },
        ].filter(Boolean),
        actions: mayRevoke ? (key) => (key.revoked_at ? null : button("Revoke", () => revoke(key, draw), { kind: "small danger", label: `Revoke the key ${key.name} of ${key.email}` })) : null,
      }),
    );
  }

  fill(
    page,
    pageHead("API keys", "Whose keys there are. A key itself is nowhere; a revoked one is kept for the books."),
    el("div", { class: "filters" }, msp ? choice.node : null, el("label", { class: "switch", for: id }, revoked, "Revoked ones, too")),
    card("", list),
  );
  await draw();
}

function stateOf(key) {
  if (key.revoked_at) return badge(`revoked ${dayOf(key.revoked_at)}`);
  if (!key.expires_at) return badge("good", "good");
  return Date.parse(key.expires_at) <= Date.now() ? badge("over", "warn") : badge(`until ${dayOf(key.expires_at)}`, "good");
}

function revoke(key, redraw) {
  confirmed(
    "Revoke this key?",
    `“${key.name}” (${key.prefix}…) of ${key.email} stops working within two seconds, in every client that has it. This cannot be undone.`,
    "Revoke the key",
    async () => {
      await remove(`/v1/admin/api-keys/${encodeURIComponent(key.id)}`);
      tell("The key is revoked.");
      await redraw();
    },
  );
}
