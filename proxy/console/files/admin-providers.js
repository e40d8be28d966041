// Providers and deployments: who carries which model, and what is wrong at the moment.

import { badge, card, el, empty, fill, notice, pageHead } from "./dom.js";
import { get } from "./api.js";
import { table } from "./tables.js";

export async function show(page, session) {
  const [{ providers }, catalogue, health] = await Promise.all([get("/v1/admin/providers"), session.may("msp.view", "msp.models") ? get("/v1/admin/models") : { models: [] }, ready()]);
  const deployments = catalogue.models.flatMap((model) => model.deployments.map((each) => ({ model, provider: each.provider, native: each.model })));
  fill(
    page,
    pageHead("Providers", "Where models run. Credentials stand in the configuration and are never shown."),
    health.trouble.map((text) => notice(text, "warn")),
    health.reasons.map((text) => notice(text, "bad")),
    card(
      "Providers",
      table({
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
      }),
    ),
    card(
      "Deployments",
      table({
        caption: "Deployments",
        rows: deployments,
        nothing: empty("There is no deployment.", "Each model names its deployments in the configuration."),
        columns: [
          { title: "Model", value: (each) => el("code", {}, each.model.name), text: (each) => each.model.name },
          { title: "Provider", value: (each) => each.provider },
          { title: "Its name there", value: (each) => el("code", {}, each.native), text: (each) => each.native },
          { title: "State", value: (each) => badge(each.model.state.replaceAll("_", " "), each.model.enabled ? "good" : "warn") },
        ],
      }),
    ),
  );
}

/** What the gateway says of itself. */
async function ready() {
  const reply = await fetch("/readyz", { headers: { accept: "application/json" } });
  const said = await reply.json().catch(() => ({}));
  const list = (value) => (Array.isArray(value) ? value : value ? [String(value)] : []);
  return { trouble: list(said.trouble), reasons: list(said.reasons) };
}
