// One request as support sees it: figures and ids, never content; and the same as text to copy.

import { badge, button, el, facts } from "./dom.js";
import { copyButton } from "./clipboard.js";
import { count, credits, milliseconds, secondOf } from "./formats.js";
import { openDialog } from "./dialogs.js";

const OUTCOMES = { completed: "good", client_gone: "warn", partial: "warn", upstream_error: "bad", house_error: "bad" };

export function outcomeBadge(outcome) {
  return badge(outcome.replaceAll("_", " "), OUTCOMES[outcome] ?? "");
}

export function recordFacts(record) {
  if (record.type === "refusal") {
    return facts([
      ["What happened", el("span", {}, badge("refused", "bad"), ` ${record.status} ${record.error_type}`)],
      ["Why", record.reason],
      ["When", secondOf(record.at)],
      ["Asked for", record.requested_model],
      ["Path", el("code", {}, record.path)],
      ["Client", record.client],
      ["Key", record.key_id],
      ["Request id", el("code", {}, record.request_id)],
    ]);
  }
  const usage = record.usage ?? record;
  const cost = record.usage ? record.credits : { total: record.credits, in: record.credits_in, out: record.credits_out };
  return facts([
    ["What happened", el("span", {}, outcomeBadge(record.outcome), ` ${record.status}${record.error_type ? ` ${record.error_type}` : ""}`)],
    ["Why it stopped", record.stop_reason],
    ["When", secondOf(record.started_at)],
    ["Asked for", el("code", {}, record.requested_model)],
    ["Answered by", el("span", {}, el("code", {}, record.model), ` via ${record.resolved_via}`)],
    ["Streamed", record.streamed ? "yes" : "no"],
    ["First byte", milliseconds(record.first_byte_ms)],
    ["All of it", milliseconds(record.total_ms)],
    ["Tokens", `${count(usage.input_tokens)} in · ${count(usage.output_tokens)} out` + (usage.cache_read_tokens ? ` · ${count(usage.cache_read_tokens)} from the cache` : "") + (record.usage_estimated ? " (estimated)" : "")],
    ["Searches", usage.web_searches ? count(usage.web_searches) : null],
    ["Credits", `${credits(cost.total)} (in ${credits(cost.in)}, out ${credits(cost.out)})`],
    ["Client", record.client ?? record.user_agent],
    ["Provider", `${record.provider ?? "–"}${record.provider_request_id ? ` · ${record.provider_request_id}` : ""}${record.attempts > 1 ? ` · ${record.attempts} attempts` : ""}`],
    ["Key", record.key_id],
    ["Request id", el("code", {}, record.request_id)],
  ]);
}

/** What support asks for (domain.md 18), as text; there is no prompt, no answer and no key in it. */
export function diagnostics(records) {
  const lines = records.map((record) =>
    Object.entries(record)
      .filter(([, value]) => value !== null && value !== "")
      .map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`)
      .join("\n"),
  );
  return `Messages gateway ${location.origin}\n\n${lines.join("\n\n")}\n`;
}

export function recordDialog(records) {
  const shown = openDialog(
    "Request",
    records.map(recordFacts),
    el(
      "div",
      { class: "dialog-foot" },
      copyButton(diagnostics(records), { label: "Copy diagnostics", what: "The diagnostics are copied.", kind: "" }),
      button("Close", () => shown.close(), { kind: "primary" }),
    ),
  );
}
