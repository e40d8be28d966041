// Usage: one's own, or that of the workspace where the role may see it.

import { el, fill, freshId, pageHead } from "./dom.js";
import { get } from "./api.js";
import { allowanceCard } from "./allowance.js";
import { dateRange } from "./date-range.js";
import { usageReport } from "./usage-report.js";

export async function show(page, session) {
  const month = await get("/v1/usage");
  const report = el("div", { class: "fields" });
  const maySeeAll = session.may("usage.view", "msp.view");
  const id = freshId("whose");
  const whose = el(
    "select",
    { id, on: { change: () => draw() } },
    maySeeAll ? el("option", { value: "tenant" }, `All of ${session.tenant}`) : null,
    el("option", { value: "mine" }, "Only mine"),
  );
  const range = dateRange(() => draw());

  async function draw() {
    const mine = whose.value === "mine";
    const query = { ...range.read(), tenant_id: session.tenant_id, user_id: mine ? session.user_id : "" };
    await usageReport(report, query, { users: !mine, connect: true });
  }

  fill(
    page,
    pageHead("Usage", "What was used, and how much is left this month."),
    el(
      "div",
      { class: "grid" },
      allowanceCard("Workspace allowance", {
        used: month.credits_used,
        limit: month.credit_limit,
        state: month.state,
        resetsAt: month.period.resets_at,
        about: "Shared by everybody in the workspace.",
      }),
      allowanceCard("Your own cap", {
        used: month.role_used,
        limit: month.role_limit,
        state: month.role_state,
        resetsAt: month.period.resets_at,
        about: month.role_limit === null ? `Your role ${session.role} sets no cap.` : `Set by your role ${session.role}.`,
      }),
    ),
    el("div", { class: "filters" }, el("div", { class: "field" }, el("label", { for: id }, "Whose"), whose), range.nodes),
    report,
  );
  await draw();
}
