// Counts tokens with OpenAI's o200k_base. One JSON array of texts in, one JSON array of counts out.
// Special tokens in the text are text here, as they are for an API.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import path from "node:path";

const require = createRequire(path.join(process.argv[2], "here.js"));
const { countTokens } = require("gpt-tokenizer/encoding/o200k_base");
const texts = JSON.parse(readFileSync(0, "utf8"));
const plain = { disallowedSpecial: new Set() };
process.stdout.write(JSON.stringify(texts.map((text) => countTokens(text, plain))));
