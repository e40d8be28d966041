// Banners near and at limits, in the gateway's own words.

import { el } from "./dom.js";
import { get, Refused } from "./api.js";

export async function banners() {
  let limits;
  try {
    limits = await get("/v1/usage/limits");
  } catch (error) {
    if (error instanceof Refused) return [];
    throw error;
  }
  return limits.banners.map((each) => {
    const kind = each.level === "warning" ? "warn" : "bad";
    return el("p", { class: ["notice", kind], role: "status", "data-banner": kind }, each.message);
  });
}
