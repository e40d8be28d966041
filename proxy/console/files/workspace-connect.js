// Connect a client: set-ups to paste, and a test of the connection.

import { card, el, empty, facts, fill, freshId, pageHead } from "./dom.js";
import { get } from "./api.js";
import { connectionTest } from "./connection-test.js";
import { copyButton } from "./clipboard.js";
import { setups } from "./setups.js";
import { tabs } from "./tabs.js";
import { times } from "./formats.js";

export async function show(page, session) {
  const models = (await get("/v1/chat/models")).data;
  const mayMake = session.may("keys.create");
  const head = pageHead("Connect a client", "Any client that speaks Anthropic's Messages API.", mayMake ? el("a", { class: "button", href: "/workspace/keys" }, "Make a key") : null);
  if (!models.length) {
    fill(page, head, empty("There is no model you may use.", "Ask your administrator to switch one on for you."));
    return;
  }
  const id = freshId("model");
  const model = el(
    "select",
    { id, on: { change: () => draw() } },
    models.map((each) => el("option", { value: each.name, selected: each === preferred(models) }, `${each.display_name} · ${times(each.multiplier)}${each.rate_limited ? " · limited now" : ""}`)),
  );
  const pasted = el("div");

  function draw() {
    fill(
      pasted,
      tabs(
        "Clients",
        setups(session.baseUrl, model.value).map((each) => ({
          name: each.name,
          body: () => [
            each.about ? el("p", { class: "quiet" }, each.about) : null,
            el("div", { class: "snippet" }, el("pre", { tabindex: "0" }, each.text), copyButton(each.text)),
          ],
        })),
      ),
    );
  }

  fill(
    page,
    head,
    card(
      "Set up",
      facts([
        ["Base URL", el("span", {}, el("code", { id: "base-url" }, session.baseUrl), " ", copyButton(session.baseUrl))],
        ["API key", el("span", {}, "goes in place of ", el("code", {}, "YOUR_KEY"), ", as ", el("code", {}, "Authorization: Bearer"), " or ", el("code", {}, "X-API-Key"))],
      ]),
      el("div", { class: "filters" }, el("div", { class: "field" }, el("label", { for: id }, "Model"), model)),
      pasted,
    ),
    card(
      "Test connection",
      mayMake
        ? connectionTest(() => model.value)
        : el("p", { class: "notice warn" }, "The test makes a key for itself, and your role may not make any. Ask your administrator."),
    ),
  );
  draw();
}

/** One that can be used now, cheap before dear. */
function preferred(models) {
  const free = models.filter((each) => !each.rate_limited);
  return [...(free.length ? free : models)].sort((one, other) => one.multiplier - other.multiplier)[0];
}
