// Scenes of models on the OpenAI wire: the SDK must not be able to tell them from Claude.

import {
  ANSWER,
  ask,
  clientOf,
  GPT,
  jsonSchemaOutputFormat,
  KIMI,
  OPUS,
  OSLO,
  PAUSE,
  raised,
  resultsOf,
  ROME,
  said,
  sent,
  toolRound,
  turn,
  usual,
  WEATHER,
} from "./typescript_client.mjs";

const THINKING = { type: "adaptive" };
const RED_DOT =
  "iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4//8/w38GIAXDIBKE0DHxgljNBAAO9TXL" +
  "0Y4OHwAAAABJRU5ErkJggg==";

// A word that finds this scene's requests in the provider's log.
const mark = () => `mark-${crypto.randomUUID()}`;

async function forEach(run) {
  return { [KIMI]: await run(KIMI), [GPT]: await run(GPT) };
}

export const foreignScenes = {
  foreign_text: () =>
    forEach(async (model) => {
      const asked = ask("Say hello.", { model });
      const types = [];
      const raw = await usual.messages.create({ ...asked, stream: true });
      for await (const event of raw) types.push(event.type);
      return {
        plain: said(await turn(asked, false)),
        streamed: said(await turn(asked)),
        types,
      };
    }),

  foreign_tool_round: () =>
    forEach(async (model) => ({
      plain: await toolRound(model, false),
      streamed: await toolRound(model),
      thinking: await toolRound(model, true, { thinking: THINKING }),
    })),

  // Thinking that is shown, thinking that is not, and what the model gets back of either.
  async foreign_thinking() {
    const run = async (display) => {
      const marked = mark();
      const thinking = display ? { ...THINKING, display } : THINKING;
      const asked = ask(`${marked} ${ROME}`, { model: KIMI, thinking, tools: [WEATHER] });
      const plain = await turn(asked, false);
      const streamed = await turn(asked);
      asked.messages.push({ role: "assistant", content: streamed.content });
      asked.messages.push({ role: "user", content: resultsOf(streamed) });
      const following = await turn(asked);
      const last = (await sent(marked)).at(-1);
      return {
        plain: said(plain),
        streamed: said(streamed),
        next: said(following),
        sent_back: last.messages.filter(({ role }) => role === "assistant"),
      };
    };
    return { shown: await run(), omitted: await run("omitted") };
  },

  async foreign_image() {
    const source = { type: "base64", media_type: "image/png", data: RED_DOT };
    const image = { type: "image", source };
    const marked = mark();
    const content = [{ type: "text", text: marked }, image];
    const message = await turn(ask(content, { model: GPT }));
    const refused = await raised(() => turn(ask(content, { model: KIMI }), false));
    // The same where a tool has taken the picture.
    const asked = ask(`${marked} ${ROME}`, { model: GPT, tools: [WEATHER] });
    const first = await turn(asked);
    const results = resultsOf(first).map((result) => ({ ...result, content: [image] }));
    asked.messages.push({ role: "assistant", content: first.content });
    asked.messages.push({ role: "user", content: results });
    const seen = await forEach(async (model) => said(await turn({ ...asked, model })));
    return {
      data: RED_DOT,
      message: said(message),
      refused,
      from_tool: seen,
      sent: (await sent(marked)).map(({ messages }) => messages),
    };
  },

  foreign_structured: () =>
    forEach(async (model) => {
      const format = jsonSchemaOutputFormat(ANSWER);
      const asked = ask("The weather, please.", { model, output_config: { format } });
      const message = await usual.messages.parse(asked);
      const streamed = await turn(asked);
      return { parsed: message.parsed_output, streamed: streamed.parsed_output, ...said(message) };
    }),

  foreign_count_tokens: () =>
    forEach(async (model) => {
      const wire = [];
      const client = clientOf(wire);
      const { messages } = ask("How long is this?");
      const short = await client.messages.countTokens({ model, messages });
      const tools = await client.messages.countTokens({ model, messages, tools: [WEATHER] });
      return {
        short: short.input_tokens,
        with_tools: tools.input_tokens,
        worth: wire.map((exchange) => exchange.count),
      };
    }),

  foreign_stop_sequences: () =>
    forEach(async (model) => {
      const stop_sequences = ["Every word", "only a small", "nö"];
      const asked = ask("Say hello.", { model, stop_sequences });
      return { plain: said(await turn(asked, false)), streamed: said(await turn(asked)) };
    }),

  // A conversation that begins with Kimi, goes on with Claude, Kimi again, GPT, and Claude.
  async foreign_travel() {
    const marked = mark();
    const messages = [{ role: "user", content: `${marked} ${ROME} ${OSLO}` }];
    const turns = [];
    const goOn = async (model, streamed) => {
      const asked = ask("", { model, thinking: THINKING, tools: [WEATHER], messages });
      const answer = await turn(asked, streamed);
      messages.push({ role: "assistant", content: answer.content });
      turns.push(said(answer));
      return answer;
    };
    for (const [at, model] of [KIMI, OPUS, KIMI, GPT, OPUS].entries()) {
      if (at) messages.push({ role: "user", content: `THINK about it. ${ROME} ${OSLO}` });
      const answer = await goOn(model, true);
      messages.push({ role: "user", content: resultsOf(answer) });
      await goOn(model, false);
      messages.push({ role: "user", content: "THINK about it." });
      await goOn(model, true);
    }
    return { turns, sent: await sent(marked) };
  },

  async foreign_errors() {
    const hasty = clientOf(undefined, { maxRetries: 0 });
    const fail = (text) =>
      forEach((model) => {
        const wire = [];
        const client = clientOf(wire, { maxRetries: 0 });
        return raised(() => client.messages.create(ask(text, { model })), wire);
      });
    const failStreaming = async (text, model) => {
      const heard = [];
      const seen = await raised(async () => {
        const stream = hasty.messages.stream(ask(text, { model }));
        stream.on("text", (piece) => heard.push(piece));
        await stream.finalMessage();
      });
      return { ...seen, heard: heard.join("") };
    };
    return {
      too_long: await fail("WINDOW 10"),
      busy: await fail("ERROR 429"),
      key: await fail("ERROR 401"),
      refused_streaming: await forEach((model) => failStreaming("ERROR 429", model)),
      in_stream: await failStreaming(`${PAUSE} ERRORMID`, KIMI),
      broken_off: await failStreaming(`${PAUSE} BREAK`, GPT),
      cut_short: await failStreaming(`${PAUSE} TRUNCATE`, KIMI),
    };
  },
};
