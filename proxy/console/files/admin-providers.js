// Providers and deployments: who carries which model, how they do, and what is wrong at the moment.

import { badge, card, el, empty, fill, notice, pageHead } from "./dom.js";
import { get } from "./api.js";
import { count, percent, timeOf } from "./formats.js";
import { repeating } from "./repeating.js";
import { table } from "./tables.js";
import { workersSaid } from "./workers-said.js";

const EVERY_MS = 5000;
const STATES = {
  well: ["well", "good"],
  resting: ["resting", "warn"],
  on_trial: ["on trial", "warn"],
  out: ["out", "bad"],
  not_called: ["cannot be called", "bad"],
};

export async function show(page) {
  const { providers } = await get("/v1/admin/providers");
  const troubles = el("div", { class: "fields" });
  const words = el("p", { class: "quiet", role: "status" });
  const deployments = el("div", { class: "fields", id: "deployments" });
  const connections = el("div", { class: "fields" });

  async function look() {
    const [health, said] = await Promise.all([get("/v1/admin/providers/health"), ready()]);
    fill(troubles, said.reasons.map((text) => notice(text, "bad")), said.trouble.map((text) => notice(text, "warn")));
    words.textContent = workersSaid(health);
    fill(deployments, deploymentTable(health));
    fill(connections, connectionTable(health.connections));
  }

  fill(
    page,
    pageHead("Providers", "Where models run, and how they do; looked at every five seconds."),
    troubles,
    card("Deployments", words, deployments),
    card("Providers", providerTable(providers), el("p", { class: "hint" }, "Credentials stand in the configuration and are never shown.")),
    card("Connections", connections),
  );
  await repeating(deployments, EVERY_MS, look).start();
}

function deploymentTable({ deployments, workers }) {
  return table({
    caption: "Deployments",
    rows: deployments,
    filter: false,
    nothing: empty("There is no deployment.", "Each model names its deployments in the configuration."),
    columns: [
      { title: "Model", value: (each) => el("code", {}, each.models.join(", ")), text: (each) => each.models.join(" "), cut: true },
      { title: "Provider", value: (each) => each.provider },
      { title: "Its name there", value: (each) => el("code", {}, each.upstream_model), text: (each) => each.upstream_model, cut: true },
      { title: "State", value: (each) => stateOf(each, workers.length), text: (each) => each.state },
      { title: "In flight", value: (each) => count(each.in_flight), number: true, sort: (each) => each.in_flight },
      { title: "Went well lately", value: lately, number: true, sort: (each) => each.success_rate ?? 2 },
      { title: "Last trouble", value: lastTrouble, cut: true },
    ],
  });
}

/** In words: also until when, and in how many processes where they differ. */
function stateOf(each, workers) {
  const [word, kind] = STATES[each.state] ?? [each.state, "warn"];
  const some = each.workers_in_state < workers && each.state !== "well" && each.workers_in_state ? ` in ${each.workers_in_state} of ${workers} processes` : "";
  return el("span", {}, badge(word, kind), some, each.back_at ? ` until ${timeOf(each.back_at)}` : "");
}

function lately(each) {
  if (each.success_rate === null) return "no calls";
  const limited = each.recent_rate_limited ? `, ${count(each.recent_rate_limited)} refused for their rate` : "";
  return `${percent(each.success_rate)} of ${count(each.recent_calls)}${limited}`;
}

function lastTrouble({ last_trouble: last }) {
  if (last === null) return "–";
  return `${timeOf(last.at)}: ${last.status} ${last.type}${last.reason ? ` (${last.reason})` : ""}`;
}

function providerTable(providers) {
  return table({
    caption: "Providers",
    rows: providers,
    nothing: empty("There is no provider.", "Providers stand in the configuration of the gateway."),
    columns: [
      { title: "Name", value: (each) => each.name },
      { title: "Wire", value: (each) => each.wire },
      { title: "Host", value: (each) => each.host ?? "–", cut: true },
      { title: "Credential", value: (each) => (each.has_credential ? badge("set", "good") : badge("none")) },
      { title: "Models", value: (each) => each.models.length, number: true, sort: (each) => each.models.length },
    ],
  });
}

function connectionTable(connections) {
  return table({
    caption: "Connections",
    rows: connections,
    filter: false,
    nothing: empty("There is no connection.", "The first request to a provider opens one."),
    columns: [
      { title: "To", value: (each) => each.origin, cut: true },
      ...["busy", "idle", "connecting", "waiting", "opened", "failed"].map((name) => ({
        title: { waiting: "Requests waiting", opened: "Opened ever", failed: "Failed ever" }[name] ?? name[0].toUpperCase() + name.slice(1),
        value: (each) => count(each[name]),
        number: true,
        sort: (each) => each[name],
      })),
    ],
  });
}

/** What the gateway says of itself. */
async function ready() {
  const reply = await fetch("/readyz", { headers: { accept: "application/json" } });
  const said = await reply.json().catch(() => ({}));
  const list = (value) => (Array.isArray(value) ? value : value ? [String(value)] : []);
  return { trouble: list(said.trouble), reasons: list(said.reasons) };
}
