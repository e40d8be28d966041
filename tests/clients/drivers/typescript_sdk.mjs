// Drives one version of `@anthropic-ai/sdk` and prints what it saw as one JSON document.
//
//     node typescript_sdk.mjs new|old [scene ...]
//
// The environment is told in typescript_client.mjs; scenes of models on the OpenAI wire stand in
// typescript_foreign.mjs. A scene only writes down what an application would see; judging is the
// tests' work. A scene that fails unexpectedly is recorded as such and does not stop the others.

import { readFileSync } from "node:fs";

import {
  age,
  ANSWER,
  ask,
  betaTool,
  CITY,
  clientOf,
  HAIKU,
  installed,
  jsonSchemaOutputFormat,
  KEY,
  KEY_WRONG,
  OPUS,
  OSLO,
  PAUSE,
  raised,
  ROME,
  said,
  SILENCE,
  toolRound,
  WEATHER,
} from "./typescript_client.mjs";
import { foreignScenes } from "./typescript_foreign.mjs";
import { searchScenes } from "./typescript_search.mjs";

const wanted = process.argv.slice(3);

const scenes = {
  async text() {
    const wire = [];
    const message = await clientOf(wire).messages.create(ask("Say hello."));
    return { ...said(message), exchange: wire[0] };
  },

  async stream_helper() {
    const wire = [];
    const pieces = [];
    const stream = clientOf(wire).messages.stream(ask("Say hello."));
    stream.on("text", (piece) => pieces.push(piece));
    const message = await stream.finalMessage();
    return { ...said(message), pieces, stream_request_id: stream.request_id, exchange: wire[0] };
  },

  async stream_raw() {
    const events = [];
    const stream = await clientOf().messages.create({ ...ask("Say hello."), stream: true });
    for await (const event of stream) events.push(event);
    return {
      types: events.map((event) => event.type),
      model: events[0].message.model,
      input_tokens_first: events[0].message.usage.input_tokens,
      output_tokens_last: events.findLast((e) => e.type === "message_delta").usage.output_tokens,
    };
  },

  async silence() {
    return said(await clientOf().messages.stream(ask(SILENCE)).finalMessage());
  },

  async model_names() {
    const names = { exact: OPUS, alias: "opus", native: "claude-opus-5-5" };
    const seen = {};
    for (const [way, model] of Object.entries(names)) {
      const client = clientOf();
      const plain = await client.messages.create(ask("Say hello.", { model }));
      const streamed = await client.messages.stream(ask("Say hello.", { model })).finalMessage();
      seen[way] = { asked: model, model: plain.model, streamed: streamed.model };
    }
    return seen;
  },

  async count_tokens() {
    const client = clientOf();
    const { model, messages } = ask("How long is this?");
    const short = await client.messages.countTokens({ model, messages });
    const tools = await client.messages.countTokens({ model, messages, tools: [WEATHER] });
    const beta = await client.beta.messages.countTokens({ model: "haiku", messages });
    return {
      short: short.input_tokens,
      with_tools: tools.input_tokens,
      beta_alias: beta.input_tokens,
      request_id: short._request_id ?? null,
    };
  },

  async models() {
    const wire = [];
    const client = clientOf(wire);
    const paged = [];
    for await (const model of client.models.list({ limit: 2 })) paged.push(model.id);
    const requests = wire.map((exchange) => exchange.path);
    const whole = await client.models.list({ limit: 1000 });
    return {
      paged,
      requests,
      whole: whole.data.map((model) => model.id),
      has_more: whole.has_more,
      first: whole.data[0],
      one: await client.models.retrieve(HAIKU),
      alias: (await client.models.retrieve("opus")).id,
      unknown: await raised(() => client.models.retrieve("no-such-model")),
      slash: await raised(() => client.models.retrieve("vertex_ai/claude")),
      slash_path: wire.at(-1).path,
    };
  },

  async tool_round() {
    return { plain: await toolRound(HAIKU, false), streamed: await toolRound(HAIKU) };
  },

  async thinking() {
    const client = clientOf();
    const asked = ask("THINK about it.", { model: OPUS, thinking: { type: "adaptive" } });
    const deltas = new Set();
    const stream = client.messages.stream(asked);
    stream.on("streamEvent", (event) => {
      if (event.type === "content_block_delta") deltas.add(event.delta.type);
    });
    const streamed = await stream.finalMessage();
    const plain = await client.messages.create(asked);
    const messages = [
      ...asked.messages,
      { role: "assistant", content: plain.content },
      { role: "user", content: "And now?" },
    ];
    return {
      streamed: said(streamed),
      deltas: [...deltas].sort(),
      plain: said(plain),
      next: said(await client.messages.create({ ...asked, messages })),
    };
  },

  async structured() {
    const message = await clientOf().messages.parse(
      ask("The weather, please.", { output_config: { format: jsonSchemaOutputFormat(ANSWER) } }),
    );
    return { parsed: message.parsed_output, ...said(message) };
  },

  async tool_runner() {
    const wire = [];
    const ran = [];
    const tools = [
      betaTool({
        name: "get_weather",
        description: "The weather in a city.",
        inputSchema: CITY,
        run: ({ city }) => {
          ran.push(city);
          return `${city}: 21 degrees`;
        },
      }),
    ];
    const asked = { ...ask(`${ROME} ${OSLO}`), tools };
    const last = await clientOf(wire).beta.messages.toolRunner(asked);
    const exchanges = wire.splice(0);
    let streamed;
    const runner = clientOf(wire).beta.messages.toolRunner({ ...asked, stream: true });
    for await (const turn of runner) streamed = await turn.finalMessage();
    return { last: said(last), ran, exchanges, streamed: said(streamed), streamed_exchanges: wire };
  },

  async credentials() {
    const through = async (options) => {
      const wire = [];
      const message = await clientOf(wire, options).messages.create(ask("Say hello."));
      return { text: said(message).text, credentials: wire[0].credentials };
    };
    const both = (x, bearer) => ({
      apiKey: KEY,
      defaultHeaders: { "X-Api-Key": x, Authorization: `Bearer ${bearer}` },
    });
    return {
      api_key: await through({ apiKey: KEY }),
      auth_token: await through({ authToken: KEY, apiKey: null }),
      both_equal: await through(both(KEY, KEY)),
      only_bearer_good: await through(both(KEY_WRONG, KEY)),
      only_x_api_key_good: await through(both(KEY, KEY_WRONG)),
    };
  },

  async spellings() {
    const client = clientOf();
    const body = ask("Say hello.");
    const { model, messages } = body;
    const count = { body: { model, messages } };
    return {
      messages: await client.post("/messages", { body }),
      messages_query: await client.post("/v1/messages?beta=true", { body }),
      count: await client.post("/messages/count_tokens", count),
      models: await client.get("/models"),
      model: await client.get(`/models/${HAIKU}`),
    };
  },

  async request_id() {
    const wire = [];
    const message = await clientOf(wire).messages.create(ask("Say hello."), {
      headers: { "X-Request-ID": "drive-me_42" },
    });
    return { message: message._request_id, exchange: wire[0] };
  },

  async errors() {
    const fail = (text, options = {}, more = {}) => {
      const wire = [];
      const client = clientOf(wire, options);
      return raised(() => client.messages.create({ ...ask(text), ...more }), wire);
    };
    const failStreaming = async (text) => {
      const heard = [];
      const seen = await raised(async () => {
        const stream = clientOf(undefined, once).messages.stream(ask(text));
        stream.on("text", (piece) => heard.push(piece));
        await stream.finalMessage();
      });
      return { ...seen, heard: heard.join("") };
    };
    // The raw iterator: no helper between the application and the events.
    const failRaw = async (text) => {
      const types = [];
      const seen = await raised(async () => {
        const client = clientOf(undefined, once);
        const stream = await client.messages.create({ ...ask(text), stream: true });
        for await (const event of stream) types.push(event.type);
      });
      return { ...seen, types };
    };
    const once = { maxRetries: 0 };
    const hello = "Say hello.";
    return {
      wrong_key: await fail(hello, { apiKey: KEY_WRONG }),
      wrong_key_models: await raised(() => clientOf(undefined, { apiKey: KEY_WRONG }).models.list()),
      unknown_model: await fail(hello, {}, { model: "no-such-model" }),
      unknown_path: await raised(() => clientOf().get("/v1/files")),
      no_messages: await fail(hello, {}, { messages: [] }),
      messages_no_list: await fail(hello, {}, { messages: "hello" }),
      upstream_400: await fail("ERROR 400"),
      upstream_401: await fail("ERROR 401"),
      upstream_402: await fail("ERROR 402"),
      upstream_403: await fail("ERROR 403"),
      upstream_404: await fail("ERROR 404"),
      upstream_413: await fail("ERROR 413"),
      upstream_429: await fail("ERROR 429", once),
      upstream_500: await fail("ERROR 500", once),
      upstream_503: await fail("ERROR 503", once),
      upstream_529: await fail("ERROR 529", once),
      upstream_429_retried: await fail("ERROR 429", { maxRetries: 1 }),
      upstream_529_streaming: await failStreaming("ERROR 529"),
      in_stream: await failStreaming(`${PAUSE} ERRORMID`),
      in_stream_raw: await failRaw(`${PAUSE} ERRORMID`),
      broken_off: await failStreaming(`${PAUSE} BREAK`),
      broken_off_raw: await failRaw(`${PAUSE} BREAK`),
    };
  },
};

const manifest = new URL(`node_modules/sdk-${age}/package.json`, installed);
const { version } = JSON.parse(readFileSync(manifest, "utf8"));
const seen = { version };
for (const [name, scene] of Object.entries({ ...scenes, ...foreignScenes, ...searchScenes })) {
  if (wanted.length && !wanted.includes(name)) continue;
  try {
    seen[name] = await scene();
  } catch (error) {
    seen[name] = { failed: String(error), trace: error.stack };
  }
}
process.stdout.write(JSON.stringify(seen));
