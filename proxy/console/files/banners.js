// Banners near and at limits: the tenant's allowance, and one's own cap.

import { el } from "./dom.js";
import { get, Refused } from "./api.js";
import { credits, dayOf } from "./formats.js";

function banner(kind, text) {
  return el("p", { class: ["notice", kind], role: "status", "data-banner": kind }, text);
}

export async function banners() {
  let month;
  try {
    month = await get("/v1/usage");
  } catch (error) {
    if (error instanceof Refused) return [];
    throw error;
  }
  const resets = dayOf(month.period.resets_at);
  const found = [];
  if (month.credit_limit !== null && month.state !== "normal") {
    const used = `${credits(month.credits_used)} of ${credits(month.credit_limit)} credits`;
    if (month.state === "approaching") {
      found.push(banner("warn", `Your workspace has used ${used} of this month. Once all are used, the dearest models are restricted first.`));
    } else {
      const models = month.restricted_models.length ? ` Restricted now: ${month.restricted_models.join(", ")}.` : "";
      found.push(banner("bad", `Your workspace has used ${used} of this month.${models} It starts anew on ${resets}; an administrator can add credits.`));
    }
  }
  if (month.role_limit !== null && month.role_limit !== undefined) {
    const used = `${credits(month.role_used)} of ${credits(month.role_limit)} credits`;
    if (month.role_used >= month.role_limit) {
      found.push(banner("bad", `You have reached the cap of your role: ${used}. It starts anew on ${resets}; ask your administrator.`));
    } else if (month.role_used >= 0.8 * month.role_limit) {
      found.push(banner("warn", `You have used most of the cap of your role: ${used}, until ${resets}.`));
    }
  }
  return found;
}
