// Scenes of web searches that the gateway makes: to the SDK they are Anthropic's own.

import {
  ask,
  CLAUDE_ELSEWHERE,
  clientOf,
  GPT,
  KIMI,
  raised,
  sent,
  turn,
  URL_SEARCHLESS,
  usual,
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
