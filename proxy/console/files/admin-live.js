// Live: the requests under way at this moment.

import { badge, card, el, empty, fill, pageHead } from "./dom.js";
import { get } from "./api.js";
import { count } from "./formats.js";
import { table } from "./tables.js";

const EVERY_MS = 2000;
const STAGES = { streaming: "good", leasing: "warn", asked: "accent", holding: "accent", collecting: "accent" };

export async function show(page) {
  const list = el("div", { class: "fields", id: "live" });
  const words = el("p", { class: "quiet", role: "status" });
  fill(page, pageHead("Live", "Requests under way at this moment; looked at every two seconds."), words, card("", list));

  async function look() {
    if (!list.isConnected) return;
    if (!document.hidden) {
      const found = await get("/v1/admin/in-flight");
      const others = found.workers > 1 ? ` This is the process ${found.worker}, one of ${found.workers}.` : "";
      words.textContent = `${count(found.total_count)} under way.${others}`;
      fill(list, drawn(found.data));
    }
    setTimeout(look, EVERY_MS);
  }

  await look();
}

function drawn(rows) {
  return table({
    caption: "Requests under way",
    rows,
    filter: false,
    nothing: empty("Nothing is under way.", "A request appears here while it is carried to a provider and back."),
    columns: [
      { title: "For", value: (row) => `${row.age_s.toFixed(1)} s`, number: true, sort: (row) => row.age_s },
      { title: "Stage", value: (row) => badge(row.stage, STAGES[row.stage] ?? "accent") },
      { title: "Model", value: (row) => row.model, cut: true },
      { title: "Provider", value: (row) => (row.attempts > 1 ? `${row.provider} (attempt ${row.attempts})` : row.provider) },
      { title: "Who", value: (row) => row.email, cut: true },
      { title: "Tenant", value: (row) => row.tenant, cut: true },
      { title: "Client", value: (row) => row.client || "–", cut: true },
      { title: "Request id", value: (row) => el("code", {}, row.request_id), cut: true },
    ],
  });
}
