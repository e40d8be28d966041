// Copying, also where the page is not on TLS and browsers keep their clipboard to themselves.

import { button, tell } from "./dom.js";

export async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const held = document.createElement("textarea");
  held.value = text;
  held.className = "unseen";
  held.setAttribute("aria-hidden", "true");
  document.body.append(held);
  held.select();
  document.execCommand("copy");
  held.remove();
}

export function copyButton(text, { label = "Copy", what = "Copied", kind = "small" } = {}) {
  const made = button(
    label,
    async () => {
      await copy(typeof text === "function" ? text() : text);
      tell(what);
    },
    { kind },
  );
  return made;
}
