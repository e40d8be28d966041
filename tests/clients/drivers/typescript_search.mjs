// Scenes of web searches that the gateway makes: to the SDK they are Anthropic's own.

import {
  ask,
  CLAUDE_ELSEWHERE,
  clientOf,
  GPT,
  KIMI,
  OPUS,
  raised,
  resultsOf,
  ROME,
  sent,
  turn,
  URL_SEARCHLESS,
  usual,
  WEATHER,
} from "./typescript_client.mjs";

const MODELS = [KIMI, GPT, CLAUDE_ELSEWHERE];
const SEARCH = { type: "web_search_20250305", name: "web_search", max_uses: 3 };
const MOON = 'Look it up: CALL:web_search:{"query":"the moon"} END';
const SUN = 'Look it up: CALL:web_search:{"query":"the sun"} END';

async function forEach(run) {
  const seen = {};
  for (const model of MODELS) seen[model] = await run(model);
  return seen;
}

export const searchScenes = {
  // Three turns; what the assistant said goes back as the SDK has it.
  search: () =>
    forEach(async (model) => {
      const marked = `mark-${crypto.randomUUID()}`;
      const asked = ask(`${marked} ${MOON}`, { model, tools: [SEARCH] });
      const plain = await turn(asked, false);
      const events = [];
      const stream = usual.messages.stream(asked);
      for await (const event of stream) events.push(event.type);
      const streamed = await stream.finalMessage();
      asked.messages.push({ role: "assistant", content: streamed.content });
      asked.messages.push({ role: "user", content: SUN });
      const second = await turn(asked);
      asked.messages.push({ role: "assistant", content: second.content });
      asked.messages.push({ role: "user", content: "Thank you." });
      const third = await turn(asked, false);
      return { plain, streamed, events, second, third, sent: await sent(marked) };
    }),

  // A search and a tool of the client's in one turn, and the turn after the tool's result.
  search_beside_a_tool: () =>
    forEach(async (model) => {
      const asked = ask(`${ROME} ${MOON}`, { model, tools: [SEARCH, WEATHER] });
      const streamed = await turn(asked);
      const plain = await turn(asked, false);
      asked.messages.push({ role: "assistant", content: streamed.content });
      asked.messages.push({ role: "user", content: resultsOf(streamed) });
      return { streamed, plain, second: await turn(asked) };
    }),

  // What one model has found goes with the conversation to others, whatever the tool's version;
  // OPUS searches by itself, and knows nothing of our seals.
  async search_travel() {
    const marked = `mark-${crypto.randomUUID()}`;
    const versions = ["web_search_20250305", "web_search_20260209", "web_search_20260318"];
    const messages = [{ role: "user", content: `${marked} ${MOON}` }];
    const turns = [];
    for (const [at, model] of [KIMI, CLAUDE_ELSEWHERE, OPUS, GPT, KIMI].entries()) {
      const search = { type: versions[at % 3], name: "web_search" };
      const answer = await turn(ask("", { model, tools: [search], messages }));
      turns.push(answer);
      messages.push({ role: "assistant", content: answer.content });
      messages.push({ role: "user", content: at ? "Thank you." : SUN });
    }
    return { turns, sent: await sent(marked) };
  },

  // A search that fails, and one that finds nothing.
  async search_in_trouble() {
    const run = async (query) => {
      const asked = ask(`CALL:web_search:{"query":"${query}"} END`, { model: KIMI, tools: [SEARCH] });
      return { plain: await turn(asked, false), streamed: await turn(asked) };
    };
    return { failing: await run("UNSUCCESSFUL moon"), nothing: await run("NOTHING") };
  },

  search_off() {
    const client = clientOf(undefined, { baseURL: URL_SEARCHLESS, maxRetries: 0 });
    return forEach((model) =>
      raised(() => client.messages.create(ask(MOON, { model, tools: [SEARCH] }))),
    );
  },
};
