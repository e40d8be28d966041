// Of which processes an answer is.

import { count } from "./formats.js";

const NAMED_MAX = 8;

/** For people: who answered, and how many did not. */
export function workersSaid({ workers, silent_workers: silent }) {
  const all = workers.length + silent;
  if (all === 1 && !silent) return "";
  const named = workers.length > NAMED_MAX ? "" : `: ${workers.join(", ")}`;
  const said = `${count(workers.length)} of ${count(all)} processes answered${named}.`;
  return silent ? `${said} What the ${silent === 1 ? "other" : `${count(silent)} others`} carry is not shown.` : said;
}
