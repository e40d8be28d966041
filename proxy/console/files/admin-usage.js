// The dashboard over tenants.

import { badge, card, el, fill, pageHead } from "./dom.js";
import { dateRange } from "./date-range.js";
import { credits, percent } from "./formats.js";
import { table } from "./tables.js";
import { allTenants, tenantChoice } from "./tenant-choice.js";
import { usageReport } from "./usage-report.js";

export async function show(page, session) {
  const tenants = await allTenants();
  const report = el("div", { class: "fields" });
  const choice = tenantChoice(tenants, session, { all: "All tenants", onChange: () => draw() });
  const range = dateRange(() => draw());
  const near = tenants.filter((each) => each.total_credit_limit !== null && each.total_credits_used >= 0.8 * each.total_credit_limit);

  async function draw() {
    await usageReport(report, { ...range.read(), tenant_id: choice.value() });
  }

  fill(
    page,
    pageHead("Usage", "Over all tenants, or one of them."),
    near.length
      ? card(
          "Near or over their allowance",
          table({
            caption: "Tenants near or over their allowance",
            rows: near,
            nothing: null,
            columns: [
              { title: "Tenant", value: (each) => el("a", { href: `/admin/tenants?id=${encodeURIComponent(each.id)}` }, each.name), text: (each) => each.name },
              { title: "Used", value: (each) => `${credits(each.total_credits_used)} / ${credits(each.total_credit_limit)}`, number: true, sort: (each) => each.total_credits_used },
              { title: "Share", value: (each) => badge(percent(each.total_credit_limit ? each.total_credits_used / each.total_credit_limit : 1), each.total_credits_used >= each.total_credit_limit ? "bad" : "warn") },
            ],
          }),
        )
      : null,
    el("div", { class: "filters" }, choice.node, range.nodes),
    report,
  );
  await draw();
}
