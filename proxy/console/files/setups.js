// Set-ups to paste, with this gateway's own address and a model the user may use.

const KEY = "YOUR_KEY";

export function setups(baseUrl, model, key = KEY) {
  const root = baseUrl;
  return [
    {
      name: "Claude Code",
      about: "In a shell, or in the env block of its settings file.",
      text: `export ANTHROPIC_BASE_URL=${root}
export ANTHROPIC_AUTH_TOKEN=${key}
export CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY=1   # optional: lists this gateway's Claude models
claude --model ${model}`,
    },
    {
      name: "Claude Desktop",
      about: "Settings, third-party inference. Desktop wants https unless the gateway runs on the same machine; it may turn opus into a full id, which your mapping catches.",
      text: `Provider       Gateway (Anthropic-compatible)
Base URL       ${root}
API key        ${key}
Auth scheme    Bearer
Models         ${model}, opus, sonnet, haiku`,
    },
    {
      name: "Python",
      about: "pip install anthropic",
      text: `from anthropic import Anthropic

client = Anthropic(base_url="${root}", api_key="${key}")
with client.messages.stream(
    model="${model}",
    max_tokens=256,
    messages=[{"role": "user", "content": "Hello!"}],
) as stream:
    for text in stream.text_stream:
        print(text, end="", flush=True)`,
    },
    {
      name: "TypeScript",
      about: "npm install @anthropic-ai/sdk",
      text: `import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({ baseURL: "${root}", apiKey: "${key}" });
const stream = client.messages.stream({
  model: "${model}",
  max_tokens: 256,
  messages: [{ role: "user", content: "Hello!" }],
});
stream.on("text", (text) => process.stdout.write(text));
await stream.finalMessage();`,
    },
    {
      name: "curl",
      about: "",
      text: `curl -N ${root}/v1/messages \\
  -H "x-api-key: ${key}" -H "content-type: application/json" \\
  -d '{"model":"${model}","max_tokens":256,"stream":true,
       "messages":[{"role":"user","content":"Hello!"}]}'`,
    },
  ];
}
