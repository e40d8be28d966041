// Windows over the page: a form, a question before something that cannot be undone, a document.

import { button, el, freshId, tell } from "./dom.js";
import { form } from "./forms.js";
import { Refused } from "./api.js";

/** A window with a title. Gives the dialog; `close()` ends it, and the focus goes back. */
export function openDialog(title, ...children) {
  const id = freshId("dialog-title");
  const made = el(
    "dialog",
    { "aria-labelledby": id, on: { close: () => made.remove() } },
    el("div", { class: "dialog-body" }, el("h2", { id }, title), children),
  );
  document.body.append(made);
  made.showModal();
  return made;
}

/** A form in a window; it closes once `onSubmit` has succeeded. */
export function formDialog(title, wish, ...before) {
  const made = openDialog(
    title,
    before,
    form({
      ...wish,
      onCancel: () => made.close(),
      onSubmit: async (values) => {
        const keep = await wish.onSubmit(values);
        if (keep !== "stay") made.close();
      },
    }),
  );
  made.querySelector("input, select, textarea")?.focus();
  return made;
}

/** Asks before something that cannot be undone. */
export function confirmed(title, text, action, work) {
  const trouble = el("p", { class: "notice bad", role: "alert", hidden: true });
  const carryOut = async () => {
    try {
      await work();
      made.close();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      trouble.textContent = error.message;
      trouble.hidden = false;
    }
  };
  const cancel = button("Cancel", () => made.close());
  const made = openDialog(
    title,
    el("p", {}, text),
    trouble,
    el("div", { class: "dialog-foot" }, cancel, button(action, carryOut, { kind: "danger" })),
  );
  cancel.focus();
}

/** Runs what a button or switch does; a refusal is told at the edge of the page. */
export async function attempted(work) {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    tell(error.field ? `${error.field}: ${error.message}` : error.message);
    return undefined;
  }
}
