// Drives one version of Vercel's AI SDK with its Anthropic provider; prints one JSON document.
//
//     node ai_sdk.mjs new|old [scene ...]
//
// Environment and conduct as in typescript_sdk.mjs. This client posts to BASE/messages and checks
// every event and block against its own strict shapes, so an invented field shows up as an error.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const URL_ = process.env.GATEWAY_URL;
const KEY = process.env.GATEWAY_KEY;
const KEY_WRONG = process.env.GATEWAY_KEY_WRONG;
const [age, ...wanted] = process.argv.slice(2);

const installed = pathToFileURL(`${process.env.CLIENTS_NODE}/`);
const load = (name) => import(import.meta.resolve(name, installed));
const ai = await load(`ai-${age}`);
const { createAnthropic } = await load(`ai-sdk-anthropic-${age}`);
globalThis.AI_SDK_LOG_WARNINGS = false;

const HAIKU = "anthropic.claude-haiku-4-5";
const OPUS = "anthropic.claude-opus-5-5";
const FOREIGN = ["moonshot.kimi-k2-thinking", "gpt-5.2"];
const SEARCHING = [...FOREIGN, "anthropic.claude-sonnet-4-6"];
const RED_DOT =
  "iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4//8/w38GIAXDIBKE0DHxgljNBAAO9TXL" +
  "0Y4OHwAAAABJRU5ErkJggg==";
const THINKING = { providerOptions: { anthropic: { thinking: { type: "adaptive" } } } };
const ROME = 'CALL:get_weather:{"city":"Rome"} END';
const OSLO = 'CALL:get_weather:{"city":"Oslo"} END';
// Silence in the middle, so that what was said before has surely left when the trouble begins.
const PAUSE = "PAUSE 0.2";
// Longer than the gateway waits before it opens a stream, and than it leaves one without a ping.
const SILENCE = "SLOW 5 PAUSE 3";

// The model through the gateway; `wire` notes every exchange.
function modelOf(name = HAIKU, { wire, ...options } = {}) {
  const given = "apiKey" in options || "authToken" in options ? {} : { apiKey: KEY };
  const provider = createAnthropic({
    baseURL: URL_,
    ...given,
    ...options,
    fetch: async (url, init) => {
      const response = await fetch(url, init);
      const headers = new Headers(init.headers);
      wire?.push({
        path: url.toString().replace(/^https?:\/\/[^/]+/, ""),
        status: response.status,
        version: headers.get("anthropic-version"),
        credentials: ["authorization", "x-api-key"].filter((name) => headers.has(name)),
        request_id: response.headers.get("request-id"),
      });
      return response;
    },
  });
  return provider(name);
}

const weather = (ran) =>
  ai.tool({
    description: "The weather in a city.",
    inputSchema: ai.jsonSchema({
      type: "object",
      properties: { city: { type: "string" } },
      required: ["city"],
      additionalProperties: false,
    }),
    execute: async ({ city }) => {
      ran.push(city);
      return `${city}: 21 degrees`;
    },
  });

const ANSWER = ai.jsonSchema({
  type: "object",
  properties: { city: { type: "string" }, degrees: { type: "integer" } },
  required: ["city", "degrees"],
  additionalProperties: false,
});

// A finished generation as an application sees it.
async function said(result) {
  const usage = await result.usage;
  const response = await result.response;
  return {
    text: await result.text,
    reasoning: (await result.reasoningText) ?? null,
    finish: await result.finishReason,
    input_tokens: usage.inputTokens,
    output_tokens: usage.outputTokens,
    model: response.modelId,
    id: response.id,
  };
}

// What an application sees of a search: who ran it, what was found, what the text cites.
// The newer SDK has what was cited at the text, the older one among the sources.
function searched({ content, sources, toolCalls, toolResults }) {
  const atText = content
    .flatMap(({ citations }) => citations ?? [])
    .map(({ source, citedText }) => ({ url: source.url, text: citedText }));
  const amongSources = sources
    .filter(({ providerMetadata }) => providerMetadata?.anthropic?.citedText)
    .map(({ url, providerMetadata }) => ({ url, text: providerMetadata.anthropic.citedText }));
  return {
    calls: toolCalls.map(({ toolName, input, providerExecuted }) => ({
      name: toolName,
      input,
      by_provider: providerExecuted,
    })),
    results: toolResults.map(({ output }) => output),
    sources: sources.map(({ url, title }) => ({ url, title })),
    cited: [...atText, ...amongSources],
  };
}

// A stream read to its end: every part's type, and the errors among them.
async function heard(result) {
  const types = new Set();
  const pieces = [];
  const errors = [];
  for await (const part of result.fullStream) {
    types.add(part.type);
    if (part.type === "text-delta") pieces.push(part.text);
    if (part.type === "error") errors.push(failure(part.error));
    if (part.type === "finish") types.add(`finish:${part.finishReason}`);
  }
  return { types: [...types].sort(), pieces, errors };
}

function failure(error) {
  return {
    class: error?.name ?? error?.constructor?.name ?? typeof error,
    message: error?.message ?? String(error),
    status: error?.statusCode ?? null,
    type: error?.data?.error?.type ?? error?.type ?? null,
    retryable: error?.isRetryable ?? null,
  };
}

async function raised(action) {
  const began = performance.now();
  try {
    await action();
  } catch (error) {
    return { ...failure(error), seconds: (performance.now() - began) / 1000 };
  }
  return { class: null };
}

// Two parallel calls and the answer after their results, whole and streamed.
async function toolRound(name, more = {}) {
  const ran = [];
  const wire = [];
  const asked = {
    model: modelOf(name, { wire }),
    prompt: `${ROME} ${OSLO}`,
    tools: { get_weather: weather(ran) },
    stopWhen: ai.stepCountIs(4),
    ...more,
  };
  const plain = await ai.generateText(asked);
  const result = ai.streamText(asked);
  const parts = await heard(result);
  return {
    ran,
    plain: await said(plain),
    steps: plain.steps.length,
    streamed: { ...(await said(result)), ...parts },
    statuses: wire.map((exchange) => exchange.status),
  };
}

async function forEach(run) {
  const seen = {};
  for (const name of FOREIGN) seen[name] = await run(name);
  return seen;
}

const scenes = {
  async text() {
    const wire = [];
    const result = await ai.generateText({ model: modelOf(HAIKU, { wire }), prompt: "Say hello." });
    return { ...(await said(result)), exchange: wire[0] };
  },

  async stream() {
    const result = ai.streamText({ model: modelOf(), prompt: "Say hello." });
    const parts = await heard(result);
    return { ...(await said(result)), ...parts };
  },

  async silence() {
    const result = ai.streamText({ model: modelOf(), prompt: SILENCE });
    const parts = await heard(result);
    return { ...(await said(result)), ...parts };
  },

  async alias() {
    const result = await ai.generateText({ model: modelOf("opus"), prompt: "Say hello." });
    return said(result);
  },

  async auth_token() {
    const wire = [];
    const model = modelOf(HAIKU, { wire, authToken: KEY });
    const result = await ai.generateText({ model, prompt: "Say hello." });
    return { ...(await said(result)), exchange: wire[0] };
  },

  async temperature() {
    const result = await ai.generateText({
      model: modelOf(),
      prompt: "Say hello.",
      temperature: 0.3,
    });
    return said(result);
  },

  tool_round: () => toolRound(HAIKU),

  async thinking() {
    const result = ai.streamText({
      model: modelOf(OPUS),
      prompt: "THINK about it.",
      ...THINKING,
    });
    const parts = await heard(result);
    return { ...(await said(result)), ...parts };
  },

  async structured() {
    const result = await ai.generateText({
      model: modelOf(OPUS),
      prompt: "The weather, please.",
      output: ai.Output.object({ schema: ANSWER }),
    });
    return { parsed: result.output, ...(await said(result)) };
  },

  // Models on the OpenAI wire.

  foreign_text: () =>
    forEach(async (name) => {
      const plain = await ai.generateText({ model: modelOf(name), prompt: "Say hello." });
      const result = ai.streamText({ model: modelOf(name), prompt: "Say hello." });
      const parts = await heard(result);
      return { plain: await said(plain), streamed: { ...(await said(result)), ...parts } };
    }),

  foreign_tool_round: () => forEach((name) => toolRound(name)),

  // Here the SDK itself sends the thinking back with the results; the provider's log tells whether.
  async foreign_thinking_round() {
    const prompt = `mark-${crypto.randomUUID()} ${ROME} ${OSLO}`;
    const seen = await forEach((name) => toolRound(name, { ...THINKING, prompt }));
    const log = await (await fetch(`${process.env.UPSTREAM_URL}/demo/log`)).json();
    const sent = log
      .map(({ body }) => body?.messages ?? [])
      .filter((messages) => JSON.stringify(messages).includes(prompt.split(" ")[0]));
    return { ...seen, sent };
  },

  foreign_thinking: () =>
    forEach(async (name) => {
      const asked = { model: modelOf(name), prompt: "Say hello.", ...THINKING };
      const plain = await ai.generateText(asked);
      const result = ai.streamText(asked);
      const parts = await heard(result);
      return { plain: await said(plain), streamed: { ...(await said(result)), ...parts } };
    }),

  async foreign_image() {
    const content = [
      { type: "text", text: "Say hello." },
      { type: "image", image: RED_DOT, mediaType: "image/png" },
    ];
    const messages = [{ role: "user", content }];
    const [blind, seeing] = FOREIGN;
    return {
      message: await said(await ai.generateText({ model: modelOf(seeing), messages })),
      refused: await raised(() => ai.generateText({ model: modelOf(blind), messages })),
    };
  },

  foreign_structured: () =>
    forEach(async (name) => {
      const asked = {
        model: modelOf(name),
        prompt: "The weather, please.",
        output: ai.Output.object({ schema: ANSWER }),
      };
      const result = await ai.generateText(asked);
      const streamed = ai.streamText(asked);
      const parts = await heard(streamed);
      return { parsed: result.output, streamed: await streamed.output, errors: parts.errors };
    }),

  // Searches that the gateway makes for models that cannot; the conversation goes on.
  async search() {
    const tools = {
      web_search: createAnthropic({ apiKey: KEY }).tools.webSearch_20250305({ maxUses: 3 }),
    };
    const seen = {};
    for (const name of SEARCHING) {
      const asked = { model: modelOf(name), tools };
      const messages = [{ role: "user", content: 'CALL:web_search:{"query":"the moon"} END' }];
      const plain = await ai.generateText({ ...asked, messages });
      const result = ai.streamText({ ...asked, messages });
      const parts = await heard(result);
      messages.push(...(await result.response).messages);
      messages.push({ role: "user", content: 'CALL:web_search:{"query":"the sun"} END' });
      const second = await ai.generateText({ ...asked, messages });
      messages.push(...(await second.response).messages);
      messages.push({ role: "user", content: "Thank you." });
      const third = await ai.generateText({ ...asked, messages });
      seen[name] = {
        plain: { ...(await said(plain)), ...searched(plain) },
        streamed: {
          ...(await said(result)),
          ...parts,
          ...searched({
            content: await result.content,
            sources: await result.sources,
            toolCalls: await result.toolCalls,
            toolResults: await result.toolResults,
          }),
        },
        second: { ...(await said(second)), ...searched(second) },
        third: { ...(await said(third)), ...searched(third) },
      };
    }
    return seen;
  },

  async foreign_errors() {
    const onError = () => {};
    const fail = (prompt) => (name) =>
      raised(() => ai.generateText({ model: modelOf(name), prompt, maxRetries: 0 }));
    const failStreaming = (prompt) => (name) =>
      heard(ai.streamText({ model: modelOf(name), prompt, maxRetries: 0, onError }));
    return {
      too_long: await forEach(fail("WINDOW 10")),
      busy: await forEach(fail("ERROR 429")),
      in_stream: await forEach(failStreaming(`${PAUSE} ERRORMID`)),
      cut_short: await forEach(failStreaming(`${PAUSE} TRUNCATE`)),
    };
  },

  async errors() {
    const fail = (prompt, name, options) =>
      raised(() => ai.generateText({ model: modelOf(name, options), prompt, maxRetries: 0 }));
    const failStreaming = async (prompt) => {
      const onError = () => {};
      const model = modelOf();
      return heard(ai.streamText({ model, prompt, maxRetries: 0, onError }));
    };
    const hello = "Say hello.";
    return {
      wrong_key: await fail(hello, HAIKU, { apiKey: KEY_WRONG }),
      unknown_model: await fail(hello, "no-such-model"),
      upstream_429: await fail("ERROR 429"),
      upstream_529: await fail("ERROR 529"),
      in_stream: await failStreaming(`${PAUSE} ERRORMID`),
      broken_off: await failStreaming(`${PAUSE} BREAK`),
    };
  },
};

const manifest = new URL(`node_modules/ai-${age}/package.json`, installed);
const { version } = JSON.parse(readFileSync(manifest, "utf8"));
const seen = { version };
for (const [name, scene] of Object.entries(scenes)) {
  if (wanted.length && !wanted.includes(name)) continue;
  try {
    seen[name] = await scene();
  } catch (error) {
    seen[name] = { failed: String(error), trace: error.stack };
  }
}
process.stdout.write(JSON.stringify(seen));
