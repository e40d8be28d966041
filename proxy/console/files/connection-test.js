// Test connection: lists models, counts tokens and streams one short message, the way a client does,
// with a key that is made for it and deleted after. The text is shown as it arrives.

import { badge, button, el, fill } from "./dom.js";
import { post, Refused, remove } from "./api.js";
import { copyButton } from "./clipboard.js";
import { milliseconds } from "./formats.js";

const KEY_MS = 10 * 60_000;
const BASE = "/v1/anthropic/v1";
const PROMPT = "Say hello to somebody who tests their connection, in one or two short sentences.";

async function asked(path, key, body) {
  const began = performance.now();
  const reply = await fetch(`${BASE}${path}`, {
    method: body ? "POST" : "GET",
    credentials: "omit",
    headers: { "x-api-key": key, "anthropic-version": "2023-06-01", ...(body ? { "content-type": "application/json" } : {}) },
    body: body ? JSON.stringify(body) : undefined,
    cache: "no-store",
  });
  if (!reply.ok) {
    const document = await reply.json().catch(() => null);
    throw new Refused(reply.status, document?.error?.message ?? `The gateway answered ${reply.status}.`, reply.headers.get("x-request-id") ?? "");
  }
  return { reply, requestId: reply.headers.get("x-request-id") ?? "", tookMs: () => performance.now() - began };
}

/** The texts of a stream of events, as they come. */
async function* texts(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    held += value;
    const lines = held.split("\n");
    held = lines.pop();
    for (const line of lines) {
      if (!line.startsWith("data:")) continue;
      const event = JSON.parse(line.slice(5));
      if (event.type === "error") throw new Refused(0, event.error.message, "");
      if (event.type === "content_block_delta" && event.delta.text) yield event.delta.text;
      if (event.type === "message_stop") return;
    }
  }
}

export function connectionTest(model) {
  const places = Object.fromEntries(["list", "count", "stream"].map((name) => [name, step(name)]));
  const arriving = el("pre", { class: "arriving", id: "arriving", "aria-live": "polite", tabindex: "0" });
  const outcome = el("div", { class: "fields", id: "test-outcome" });
  const start = button("Test connection", () => run(), { kind: "primary" });

  function step(name) {
    const titles = { list: "List models", count: "Count tokens", stream: "Stream a message" };
    const words = el("span", { class: "quiet" }, "not yet");
    const state = el("span", {}, badge("waiting"));
    return { words, state, node: el("li", { "data-step": name }, state, el("span", {}, el("strong", {}, titles[name]), " ", words)) };
  }

  function said(name, kind, text) {
    const words = { good: "ok", bad: "failed", accent: "running" }[kind];
    fill(places[name].state, badge(words, kind));
    fill(places[name].words, text);
  }

  async function tried(name, work) {
    said(name, "accent", "…");
    try {
      said(name, "good", await work());
    } catch (error) {
      if (!(error instanceof Refused) && !(error instanceof TypeError)) throw error;
      said(name, "bad", error.message);
      throw error;
    }
  }

  async function run() {
    start.disabled = true;
    fill(arriving);
    fill(outcome);
    let key = null;
    try {
      key = await post("/v1/api-keys", { name: "Connection test", expires_at: new Date(Date.now() + KEY_MS).toISOString() });
      await carriedOut(key.key);
    } catch (error) {
      if (!(error instanceof Refused) && !(error instanceof TypeError)) throw error;
      fill(outcome, el("p", { class: "notice bad", role: "alert" }, error.message, error.requestId ? ` (request ${error.requestId})` : ""));
    } finally {
      start.disabled = false;
      if (key) await remove(`/v1/api-keys/${key.id}`).catch(() => null);
    }
  }

  async function carriedOut(key) {
    await tried("list", async () => {
      const { reply, tookMs } = await asked("/models?limit=1000", key);
      const found = (await reply.json()).data.length;
      return `${found} models in ${milliseconds(tookMs())}`;
    });
    const message = { model: model(), messages: [{ role: "user", content: PROMPT }] };
    await tried("count", async () => {
      const { reply, tookMs } = await asked("/messages/count_tokens", key, message);
      return `${(await reply.json()).input_tokens} tokens in ${milliseconds(tookMs())}`;
    });
    await tried("stream", async () => {
      const { reply, requestId, tookMs } = await asked("/messages", key, { ...message, max_tokens: 128, stream: true });
      let first = null;
      let pieces = 0;
      for await (const text of texts(reply.body)) {
        first ??= tookMs();
        pieces += 1;
        arriving.append(text);
        arriving.dataset.pieces = String(pieces);
      }
      fill(
        outcome,
        el("p", { class: "notice good", role: "status" }, "The connection works."),
        el("p", {}, "Request id ", el("code", { id: "test-request-id" }, requestId), " ", copyButton(requestId)),
      );
      return `first text after ${milliseconds(first)}, all of it after ${milliseconds(tookMs())}`;
    });
  }

  return el(
    "div",
    { class: "fields" },
    el("p", { class: "quiet" }, "Does what a client does, with a key that is made for it and deleted after. One short message is charged."),
    el("div", { class: "actions" }, start),
    el("ul", { class: "steps" }, Object.values(places).map((each) => each.node)),
    arriving,
    outcome,
  );
}
