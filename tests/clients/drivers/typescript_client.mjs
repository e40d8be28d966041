// One version of `@anthropic-ai/sdk`: a client of it, what is asked, what is seen.
//
// GATEWAY_URL, GATEWAY_URL_SEARCHLESS, GATEWAY_KEY, GATEWAY_KEY_WRONG and UPSTREAM_URL come from the environment;
// CLIENTS_NODE is the folder the SDKs are installed in, the first argument says which: new or old.

import { pathToFileURL } from "node:url";

const URL_ = process.env.GATEWAY_URL;
export const URL_SEARCHLESS = process.env.GATEWAY_URL_SEARCHLESS;
export const KEY = process.env.GATEWAY_KEY;
export const KEY_WRONG = process.env.GATEWAY_KEY_WRONG;
const UPSTREAM = process.env.UPSTREAM_URL;
export const age = process.argv[2];

// The SDKs live beside the repository's own files, so names are resolved from their folder
// (node runs us with --experimental-import-meta-resolve for the second argument).
export const installed = pathToFileURL(`${process.env.CLIENTS_NODE}/`);
const load = (name) => import(import.meta.resolve(name, installed));
export const sdk = await load(`sdk-${age}`);
export const { jsonSchemaOutputFormat } = await load(`sdk-${age}/helpers/json-schema`);
export const { betaTool } = await load(`sdk-${age}/helpers/beta/json-schema`);
const Anthropic = sdk.Anthropic;

export const HAIKU = "anthropic.claude-haiku-4-5";
export const OPUS = "anthropic.claude-opus-5-5";
export const KIMI = "moonshot.kimi-k2-thinking";
export const GPT = "gpt-5.2";
export const CLAUDE_ELSEWHERE = "anthropic.claude-sonnet-4-6";
export const CITY = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
export const ANSWER = {
  type: "object",
  properties: { city: { type: "string" }, degrees: { type: "integer" } },
  required: ["city", "degrees"],
  additionalProperties: false,
};
export const WEATHER = { name: "get_weather", description: "The weather in a city.", input_schema: CITY };
export const ROME = 'CALL:get_weather:{"city":"Rome"} END';
export const OSLO = 'CALL:get_weather:{"city":"Oslo"} END';
// Silence in the middle, so that what was said before has surely left when the trouble begins.
export const PAUSE = "PAUSE 0.2";
// Longer than the gateway waits before it opens a stream, and than it leaves one without a ping.
export const SILENCE = "SLOW 5 PAUSE 3";

// A client of this SDK; `wire` notes every exchange it makes.
export function clientOf(wire, options = {}) {
  const given = "apiKey" in options || "authToken" in options ? {} : { apiKey: KEY };
  return new Anthropic({
    baseURL: URL_,
    ...given,
    ...options,
    fetch: async (url, init) => {
      const response = await fetch(url, init);
      const headers = new Headers(init.headers);
      const body = init.body ? JSON.parse(init.body) : {};
      wire?.push({
        method: init.method,
        path: url.toString().replace(/^https?:\/\/[^/]+/, ""),
        status: response.status,
        version: headers.get("anthropic-version"),
        credentials: ["authorization", "x-api-key"].filter((name) => headers.has(name)),
        thread: body.thread?.type ?? null,
        messages: body.messages?.length ?? 0,
        retry_allowed: response.headers.get("x-should-retry"),
        request_id: response.headers.get("request-id"),
        x_request_id: response.headers.get("x-request-id"),
        content_type: response.headers.get("content-type"),
        count: response.headers.get("x-hatz-count"),
      });
      return response;
    },
  });
}

export const ask = (text, more = {}) => ({
  model: HAIKU,
  max_tokens: 256,
  messages: [{ role: "user", content: text }],
  ...more,
});

// A message as an application sees it.
export function said(message) {
  const of = (type) => message.content.filter((block) => block.type === type);
  return {
    id: message.id,
    type: message.type,
    role: message.role,
    model: message.model,
    stop_reason: message.stop_reason,
    stop_sequence: message.stop_sequence,
    text: of("text").map((block) => block.text).join(""),
    thinking: of("thinking").map((block) => block.thinking).join(""),
    signatures: of("thinking").map((block) => block.signature),
    tools: of("tool_use").map(({ id, name, input }) => ({ id, name, input })),
    blocks: message.content.map((block) => block.type),
    input_tokens: message.usage.input_tokens,
    output_tokens: message.usage.output_tokens,
    request_id: message._request_id ?? null,
  };
}

// The error an action ends in, as an application sees it.
export async function raised(action, exchanges) {
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  try {
    await action();
  } catch (error) {
    if (!(error instanceof sdk.APIError)) throw error;
    const classes = [];
    for (let at = error.constructor; at?.name; at = Object.getPrototypeOf(at)) {
      classes.push(at.name);
    }
    const inner = error.error?.error ?? error.error ?? {};
    return {
      class: error.constructor.name,
      classes,
      status: error.status ?? null,
      request_id: error.requestID ?? null,
      type: inner.type ?? null,
      message: inner.message ?? null,
      shown: error.message,
      body: error.error ?? null,
      seconds: seconds(),
      exchanges: exchanges ?? null,
    };
  }
  return { class: null, seconds: seconds() };
}

// One for all scenes that look at no headers.
export const usual = clientOf();

// The bodies with this mark that reached the provider, oldest first, with their paths.
export async function sent(mark) {
  const log = await (await fetch(`${UPSTREAM}/demo/log`)).json();
  return log
    .filter(({ body }) => typeof body === "object" && JSON.stringify(body).includes(mark))
    .map(({ path, body }) => ({ path, ...body }));
}

// One answer, whole or folded from a stream by the SDK.
export const turn = (asked, streamed = true) =>
  streamed ? usual.messages.stream(asked).finalMessage() : usual.messages.create(asked);

// The user's turn after a message with calls: what the tools said.
export const resultsOf = (message) =>
  message.content
    .filter((block) => block.type === "tool_use")
    .map((block) => ({
      type: "tool_result",
      tool_use_id: block.id,
      content: `${block.input.city}: 21 degrees`,
    }));

// Two parallel calls, and the answer after their results.
export async function toolRound(model, streamed = true, more = {}) {
  const messages = [{ role: "user", content: `${ROME} ${OSLO}` }];
  const asked = { model, max_tokens: 512, tools: [WEATHER], messages, ...more };
  const first = await turn(asked, streamed);
  messages.push({ role: "assistant", content: first.content });
  messages.push({ role: "user", content: resultsOf(first) });
  return { first: said(first), second: said(await turn(asked, streamed)) };
}
