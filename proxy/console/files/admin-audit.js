// Audit log: who changed what, newest first.

import { button, card, el, empty, facts, fill, pageHead } from "./dom.js";
import { get } from "./api.js";
import { openDialog } from "./dialogs.js";
import { secondOf } from "./formats.js";
import { table } from "./tables.js";
import { allTenants, tenantChoice } from "./tenant-choice.js";

export async function show(page, session) {
  const tenants = await allTenants();
  const names = new Map(tenants.map((each) => [each.id, each.name]));
  const list = el("div", { class: "fields" });
  const choice = tenantChoice(tenants, session, { all: "Everything", onChange: () => begin() });
  let lines = [];
  let cursor = null;

  async function begin() {
    lines = [];
    cursor = null;
    await more();
  }

  async function more() {
    const found = await get("/v1/admin/audit", { tenant_id: choice.value(), limit: 200, cursor });
    lines.push(...found.data);
    cursor = found.next_cursor;
    draw();
  }

  function draw() {
    fill(
      list,
      table({
        caption: "Audit log",
        rows: lines,
        nothing: empty("Nothing was changed yet.", "Every change by an administrator leaves a line here."),
        columns: [
          { title: "When", value: (line) => secondOf(line.at), sort: (line) => line.at },
          { title: "Who", value: (line) => line.actor, cut: true },
          { title: "What", value: (line) => el("code", {}, line.action), text: (line) => line.action },
          { title: "To what", value: (line) => el("code", {}, line.target), text: (line) => line.target, cut: true },
          { title: "Tenant", value: (line) => (line.tenant_id ? (names.get(line.tenant_id) ?? line.tenant_id) : "installation"), cut: true },
        ],
        actions: (line) => button("Show", () => showLine(line), { kind: "small", label: `Show ${line.action} of ${secondOf(line.at)}` }),
      }),
      cursor ? el("div", { class: "actions" }, button("Older lines", more)) : null,
    );
  }

  fill(page, pageHead("Audit log", "Every change, by whom, from what to what; and who came in."), el("div", { class: "filters" }, choice.node), card("", list));
  await begin();
}

function showLine(line) {
  const json = (value) => el("pre", { tabindex: "0" }, JSON.stringify(value, null, 2));
  const shown = openDialog(
    line.action,
    facts([
      ["When", secondOf(line.at)],
      ["Who", `${line.actor} (${line.actor_id})`],
      ["To what", el("code", {}, line.target)],
      ["Request", line.request_id ? el("code", {}, line.request_id) : null],
    ]),
    line.before === null ? null : [el("h3", {}, "Before"), json(line.before)],
    line.after === null ? null : [el("h3", {}, "After"), json(line.after)],
    el("div", { class: "dialog-foot" }, button("Close", () => shown.close(), { kind: "primary" })),
  );
}
