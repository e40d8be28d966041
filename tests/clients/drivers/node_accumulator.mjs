// Folds streams with the TypeScript SDK's own code and reads them with Vercel's AI SDK.
//
//     node node_accumulator.mjs new|old FILE
//
// FILE is a JSON list of streams as text; CLIENTS_NODE is the folder the SDKs are installed in. A
// `fetch` that answers from memory serves them, so that all that is done to a real stream is done
// here. Prints what became of each: `message` or `raised`, and what the AI SDK heard.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [age, file] = process.argv.slice(2);
const installed = pathToFileURL(`${process.env.CLIENTS_NODE}/`);
const load = (name) => import(import.meta.resolve(name, installed));
const { Anthropic, APIError } = await load(`sdk-${age}`);
const ai = await load(`ai-${age}`);
const { createAnthropic } = await load(`ai-sdk-anthropic-${age}`);
globalThis.AI_SDK_LOG_WARNINGS = false;

let served;
const headers = { "content-type": "text/event-stream", "request-id": "req_1" };
const fetch = async () => new Response(served, { headers });
const place = { baseURL: "http://gateway.example", apiKey: "key", fetch };
const client = new Anthropic({ ...place, maxRetries: 0 });
const model = createAnthropic(place)("m");
const asked = { model: "m", max_tokens: 9, messages: [{ role: "user", content: "hi" }] };

async function folded() {
  try {
    return { message: await client.messages.stream(asked).finalMessage() };
  } catch (error) {
    if (error instanceof APIError) return { raised: error.constructor.name, body: error.error };
    return { broken: String(error) };
  }
}

async function heard() {
  const told = { text: "", thinking: "", tools: [], errors: [], finish: null };
  // Without tools of these names it would call every call an error of its own.
  const names = [...served.matchAll(/"type":"tool_use","id":"[^"]*","name":("(?:[^"\\]|\\.)*")/g)];
  const tool = ai.tool({ inputSchema: ai.jsonSchema({ type: "object" }) });
  const tools = Object.fromEntries(names.map(([, name]) => [JSON.parse(name), tool]));
  const result = ai.streamText({ model, prompt: "hi", tools, maxRetries: 0, onError() {} });
  for await (const part of result.fullStream) {
    if (part.type === "text-delta") told.text += part.text;
    if (part.type === "reasoning-delta") told.thinking += part.text;
    if (part.type === "tool-call") told.tools.push([part.toolCallId, part.toolName, part.input]);
    if (part.type === "error") told.errors.push(part.error?.message ?? String(part.error));
    if (part.type === "finish") told.finish = part.finishReason;
  }
  return told;
}

const told = [];
for (served of JSON.parse(readFileSync(file, "utf8"))) {
  told.push({ ...(await folded()), heard: await heard() });
}
const { version } = JSON.parse(
  readFileSync(new URL(`node_modules/sdk-${age}/package.json`, installed), "utf8"),
);
process.stdout.write(JSON.stringify({ version, told }));
