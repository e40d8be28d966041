// Requests: one's own, and the look-up of one by its id.

import { button, card, el, fill, pageHead } from "./dom.js";
import { daysFrom, isoDay } from "./formats.js";
import { lookUp, requestList } from "./request-list.js";

const DAYS = 30;

export async function show(page, session) {
  const list = el("div", { class: "fields" });
  const query = {
    tenant_id: session.tenant_id,
    user_id: session.user_id,
    start_date: isoDay(daysFrom(new Date(), -DAYS)),
    end_date: isoDay(daysFrom(new Date(), 2)),
  };
  fill(
    page,
    pageHead("Requests", "Your own of the last 30 days. Never what was said, only how it went.", button("Look again", () => requestList(list, query))),
    lookUp(),
    card("", list),
  );
  await requestList(list, query);
}
