// API Keys: made, shown once, deleted.

import { badge, button, card, el, empty, fill, pageHead, tell } from "./dom.js";
import { get, post, remove } from "./api.js";
import { confirmed, formDialog, openDialog } from "./dialogs.js";
import { copyButton } from "./clipboard.js";
import { dayOf, minuteOf } from "./formats.js";
import { table } from "./tables.js";

const DAY_MS = 86_400_000;

export async function show(page, session) {
  const mayMake = session.may("keys.create");
  const list = el("div", { class: "fields" });
  const make = () => makeKey(() => draw());

  async function draw() {
    const keys = (await get("/v1/api-keys")).data;
    fill(
      list,
      table({
        caption: "Your API keys",
        rows: keys,
        nothing: empty(
          "You have no API key yet.",
          mayMake ? "Make one for each client you use: then you can delete one without touching the others." : "An administrator can let your role make some.",
          mayMake ? button("Make a key", make, { kind: "primary" }) : null,
        ),
        columns: [
          { title: "Name", value: (key) => key.name || el("span", { class: "quiet" }, "without a name"), cut: true, sort: (key) => key.name },
          { title: "Key", value: (key) => el("code", {}, `${key.prefix}…`) },
          { title: "Made", value: (key) => dayOf(key.created_at), sort: (key) => key.created_at },
          { title: "Last used", value: (key) => (key.last_used_at ? minuteOf(key.last_used_at) : badge("never")), sort: (key) => key.last_used_at ?? "" },
          { title: "Good until", value: (key) => (key.expires_at ? minuteOf(key.expires_at) : "you delete it"), sort: (key) => key.expires_at ?? "9" },
        ],
        actions: (key) => button("Delete", () => drop(key, draw), { kind: "small danger", label: `Delete the key ${key.name}` }),
      }),
    );
  }

  fill(
    page,
    pageHead("API Keys", "A key does what you may do, never more. Keep it out of screenshots and tickets.", mayMake ? button("Make a key", make, { kind: "primary" }) : null),
    mayMake
      ? null
      : el("p", { class: "notice warn" }, `Access to API keys is restricted: your role ${session.role} may not make any. Keys you have keep working. Ask your administrator.`),
    card("", list),
  );
  await draw();
}

function makeKey(redraw) {
  formDialog("Make an API key", {
    submit: "Make the key",
    fields: [
      { name: "name", label: "Name", required: true, maxlength: 200, hint: "What it is for, such as “Claude Code on my laptop”." },
      {
        name: "expires_at",
        label: "Good for",
        type: "select",
        options: [
          { value: "", label: "until I delete it" },
          { value: "7", label: "7 days" },
          { value: "30", label: "30 days" },
          { value: "90", label: "90 days" },
          { value: "365", label: "a year" },
        ],
      },
    ],
    onSubmit: async ({ name, expires_at }) => {
      const wish = { name };
      if (expires_at) wish.expires_at = new Date(Date.now() + Number(expires_at) * DAY_MS).toISOString();
      const made = await post("/v1/api-keys", wish);
      showOnce(made);
      await redraw();
    },
  });
}

function showOnce(made) {
  const shown = openDialog(
    `The key “${made.name}”`,
    el("p", { class: "notice warn" }, "Copy it now. It is shown this one time and can never be shown again."),
    el("div", { class: "secret" }, el("code", { id: "new-key" }, made.key), copyButton(made.key, { label: "Copy the key", what: "The key is copied.", kind: "primary" })),
    el("p", { class: "hint" }, "How to use it: ", el("a", { href: "/workspace/connect" }, "Connect a client")),
    el("div", { class: "dialog-foot" }, button("Done", () => shown.close())),
  );
}

function drop(key, redraw) {
  confirmed(
    "Delete this key?",
    `“${key.name}” (${key.prefix}…) stops working at once, in every client that has it. This cannot be undone.`,
    "Delete the key",
    async () => {
      await remove(`/v1/api-keys/${key.id}`);
      tell("The key is deleted.");
      await redraw();
    },
  );
}
