// Packages: what tenants get each month.

import { button, card, el, empty, fill, pageHead, tell } from "./dom.js";
import { get, patch, post, remove } from "./api.js";
import { confirmed, formDialog } from "./dialogs.js";
import { credits } from "./formats.js";
import { table } from "./tables.js";

export async function show(page, session) {
  const may = session.may("msp.billing");
  const list = el("div", { class: "fields" });

  async function draw() {
    const { packages } = await get("/v1/admin/packages", { limit: 1000 });
    fill(
      list,
      table({
        caption: "Packages",
        rows: packages,
        nothing: empty("There is no package yet.", "Without one a tenant has no monthly limit.", may ? button("New package", () => edit(null, draw), { kind: "primary" }) : null),
        columns: [
          { title: "Name", value: (each) => each.name },
          { title: "Credits a month", value: (each) => credits(each.monthly_credits), number: true, sort: (each) => each.monthly_credits ?? Infinity },
          { title: "Models", value: (each) => (each.allowed_models === null ? "all" : `${each.allowed_models.length} of them`) },
          { title: "Ladder", value: (each) => (each.ladder ? "its own" : "the installation's") },
          { title: "Tenants", value: (each) => each.tenant_count, number: true, sort: (each) => each.tenant_count },
        ],
        actions: may
          ? (each) => [
              button("Change", () => edit(each, draw), { kind: "small", label: `Change the package ${each.name}` }),
              button("Delete", () => confirmed(`Delete the package ${each.name}?`, "Only a package that no tenant has can be deleted.", "Delete it", async () => { await remove(`/v1/admin/packages/${each.id}`); await draw(); }), { kind: "small danger", label: `Delete the package ${each.name}` }),
            ]
          : null,
      }),
    );
  }

  fill(
    page,
    pageHead("Packages", "Monthly allowances. Credit packs are added to a tenant on its own page.", may ? button("New package", () => edit(null, draw), { kind: "primary" }) : null),
    card("", list),
  );
  await draw();
}

async function edit(each, redraw) {
  const { models } = await get("/v1/admin/models");
  formDialog(each ? each.name : "New package", {
    fields: [
      { name: "name", label: "Name", required: true, value: each?.name ?? "" },
      { name: "monthly_credits", label: "Credits a month", type: "number", min: "0", step: "any", value: each?.monthly_credits ?? "", hint: "Empty: no limit." },
      { name: "allowed_models", label: "Only these models", type: "checks", value: each?.allowed_models ?? [], options: models.map((model) => ({ value: model.name, label: model.display_name, hint: model.name })), hint: "None chosen: all of them." },
    ],
    onSubmit: async ({ name, monthly_credits, allowed_models }) => {
      const wish = { name, monthly_credits: monthly_credits === "" ? null : Number(monthly_credits), allowed_models: allowed_models.length ? allowed_models : null };
      if (each) await patch(`/v1/admin/packages/${each.id}`, wish);
      else await post("/v1/admin/packages", wish);
      tell("Saved. It counts with the next request.");
      await redraw();
    },
  });
}
