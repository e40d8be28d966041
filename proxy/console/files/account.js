// Your account: who you are here, your password, and signing out everywhere.

import { button, card, el, facts, fill, pageHead, tell } from "./dom.js";
import { put, remove } from "./api.js";
import { attempted } from "./dialogs.js";
import { form } from "./forms.js";
import { Refused } from "./api.js";

export async function show(page, session) {
  fill(
    page,
    pageHead("Your account", ""),
    el(
      "div",
      { class: "grid two" },
      card(
        "You",
        facts([
          ["Email address", session.email],
          ["Workspace", session.tenant],
          ["Role", session.role],
        ]),
        el("details", { class: "hint" }, el("summary", {}, "What your role may do"), el("ul", {}, session.permissions.map((name) => el("li", {}, name)))),
      ),
      session.passwords ? card(
        "Change your password",
        form({
          submit: "Change the password",
          fields: [
            { name: "old_password", label: "Password of now", type: "password", required: true, autocomplete: "current-password" },
            { name: "new_password", label: "New password", type: "password", required: true, autocomplete: "new-password", hint: "At least 12 characters. All your other sessions end." },
            { name: "again", label: "The new one again", type: "password", required: true, autocomplete: "new-password" },
          ],
          onSubmit: async ({ old_password, new_password, again }) => {
            if (new_password !== again) throw new Refused(0, "again: The two are not the same.", "");
            await put("/console/password", { old_password, new_password });
            tell("Your password is changed.");
            setTimeout(() => location.reload(), 800);
          },
        }),
      ) : null,
      card(
        "Sessions",
        el("p", { class: "quiet" }, "Ends your session in every browser, also in this one. API keys keep working."),
        el(
          "div",
          { class: "actions" },
          button(
            "Sign out everywhere",
            () =>
              attempted(async () => {
                await remove("/console/sessions");
                location.assign("/");
              }),
            { kind: "danger" },
          ),
        ),
      ),
    ),
  );
}
