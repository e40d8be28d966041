// What is under way at this moment, in all processes, looked at again and again while the page is in
// front.

import { badge, button, card, el, empty, fill, notice, pageHead } from "./dom.js";
import { get } from "./api.js";
import { count } from "./formats.js";
import { repeating } from "./repeating.js";
import { table } from "./tables.js";
import { workersSaid } from "./workers-said.js";

const EVERY_MS = 2000;
const STAGES = { streaming: "good", leasing: "warn", asked: "accent", holding: "accent", collecting: "accent" };

export async function show(page) {
  const list = el("div", { class: "fields", id: "live" });
  const words = el("p", { class: "quiet", role: "status" });
  const looking = repeating(list, EVERY_MS, look);
  const pause = button("Pause", () => {
    pause.textContent = looking.toggle() ? "Pause" : "Go on";
  });
  fill(page, pageHead("Live", "Requests under way at this moment; looked at every two seconds.", pause), words, card("", list));

  async function look() {
    const found = await get("/v1/admin/in-flight");
    words.textContent = `${count(found.total_count)} under way. ${workersSaid(found)}`;
    fill(
      list,
      found.total_count > found.data.length ? notice(`Shown are the ${count(found.data.length)} that have been under way longest.`) : null,
      drawn(found),
    );
  }

  await looking.start();
}

function drawn({ data, workers }) {
  return table({
    caption: "Requests under way",
    rows: data,
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
      workers.length > 1 ? { title: "Process", value: (row) => row.worker } : null,
    ].filter(Boolean),
  });
}
