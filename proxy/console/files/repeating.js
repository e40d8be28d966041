// Looking again and again at what changes by itself: only while the page is in front, and no faster
// than the gateway answers.

import { Refused } from "./api.js";
import { tell } from "./dom.js";

/** `look` is done every `everyMs` as long as `shown` is a part of the page. `start()` does it for the
 *  first time; `toggle()` pauses and goes on, and says whether it goes on. A refusal is told once and
 *  looked past: the gateway may just be starting again. */
export function repeating(shown, everyMs, look) {
  let goesOn = true;
  let isRefused = false;

  async function again() {
    if (!shown.isConnected) return;
    if (goesOn && !document.hidden) {
      try {
        await look();
        isRefused = false;
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        if (!isRefused) tell(error.message);
        isRefused = true;
      }
    }
    setTimeout(again, everyMs);
  }

  return {
    async start() {
      await look();
      setTimeout(again, everyMs);
    },
    toggle() {
      goesOn = !goesOn;
      return goesOn;
    },
  };
}
