// Request look-up for support, and the newest requests of a tenant or of all.

import { button, card, el, fill, pageHead } from "./dom.js";
import { daysFrom, isoDay } from "./formats.js";
import { lookUp, requestList } from "./request-list.js";
import { allTenants, tenantChoice } from "./tenant-choice.js";

const DAYS = 30;

export async function show(page, session) {
  const msp = session.may("msp.view");
  const list = el("div", { class: "fields" });
  const choice = msp ? tenantChoice(await allTenants(), session, { all: "All tenants", onChange: () => draw() }) : null;

  async function draw() {
    const query = {
      tenant_id: choice ? choice.value() : session.tenant_id,
      start_date: isoDay(daysFrom(new Date(), -DAYS)),
      end_date: isoDay(daysFrom(new Date(), 2)),
    };
    await requestList(list, query, { people: true });
  }

  fill(
    page,
    pageHead("Requests", "Any request by its id, and the newest of the last 30 days. Never what was said.", button("Look again", draw)),
    lookUp(),
    choice ? el("div", { class: "filters" }, choice.node) : null,
    card("", list),
  );
  await draw();
}
