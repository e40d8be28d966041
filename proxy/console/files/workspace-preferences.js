// AI Preferences: the custom mapping of opus, sonnet and haiku.

import { badge, card, el, fill, freshId, notice, pageHead, tell } from "./dom.js";
import { get, put, Refused } from "./api.js";
import { dayOf, times } from "./formats.js";

const FAMILIES = ["opus", "sonnet", "haiku"];
const PATH = "/v1/preferences/gateway-mapping";

export async function show(page) {
  const [state, models] = await Promise.all([get(PATH), get("/v1/chat/models")]);
  const holder = el("div", { class: "fields" });
  fill(page, pageHead("AI Preferences", "What Anthropic's model names mean when you use them."), holder);
  draw(holder, state, models.data, { asked: 0, last: Promise.resolve() });
}

// `line`: changes wait in it for those before them. One that was overtaken says nothing of how things stand now.
function draw(holder, state, models, line) {
  const trouble = el("p", { class: "notice bad", role: "alert", hidden: true });

  function save(wish, what) {
    const number = ++line.asked;
    trouble.hidden = true;
    line.last = line.last.catch(() => null).then(() => send(number, wish, what));
    return line.last;
  }

  async function send(number, wish, what) {
    try {
      const saved = await put(PATH, wish);
      if (number === line.asked) draw(holder, saved, models, line);
      tell(what);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      trouble.textContent = error.message;
      trouble.hidden = false;
    }
  }

  const id = freshId("switch");
  const toggle = el("input", {
    id,
    type: "checkbox",
    role: "switch",
    checked: state.enabled,
    on: { change: () => save({ enabled: toggle.checked }, toggle.checked ? "The mapping is on." : "The mapping is off.") },
  });
  fill(
    holder,
    card(
      "Custom Anthropic Gateway Model Mapping",
      el(
        "p",
        { class: "quiet" },
        "Clients such as Claude Desktop ask for opus, sonnet or haiku. Here you choose which model answers. It counts with your next request, for all your keys, and for nobody else. Exact model ids are never changed.",
      ),
      el("label", { class: "switch", for: id }, toggle, "Use my mapping"),
      trouble,
      el(
        "div",
        { class: "mapping" },
        FAMILIES.map((family) => row(family, state, models, save)),
      ),
      state.enabled ? null : el("p", { class: "hint" }, "While it is off your choices are kept, and each name means the newest model of its family."),
    ),
    models.length ? null : notice("There is no model you may use. Ask your administrator.", "warn"),
  );
}

function row(family, state, models, save) {
  const id = freshId(family);
  const picked = state.mappings[family];
  const known = models.find((each) => each.name === picked);
  const options = [
    el("option", { value: "", selected: !picked }, `Default: newest ${family}`),
    picked && !known ? el("option", { value: picked, selected: true }, `${picked} (not available)`) : null,
    models.map((each) =>
      el(
        "option",
        { value: each.name, selected: each.name === picked },
        `${each.display_name} · ${times(each.multiplier)}${each.rate_limited ? " · limited now" : ""}`,
      ),
    ),
  ];
  const select = el(
    "select",
    {
      id,
      "data-family": family,
      on: { change: () => save({ mappings: { [family]: select.value || null } }, `${family} is saved.`) },
    },
    options,
  );
  const now = state.effective[family];
  return el(
    "div",
    { class: "mapping-row" },
    el("label", { class: "alias", for: id }, family),
    select,
    el("div", { class: "mapping-now", "data-now": family }, el("span", { class: "quiet" }, "now resolves to"), resolved(now, models)),
    picked && !known
      ? el(
          "p",
          { class: "notice warn mapping-note" },
          `Your choice ${picked} is not available: it was switched off or withdrawn.` +
            (state.enabled ? ` Requests for ${family} are refused until it is back or you choose another.` : "") +
            " It is kept in case it comes back.",
        )
      : null,
  );
}

function resolved(now, models) {
  if (!now.model) return badge(now.source === "none" ? "no model of this family is available" : "not available", "bad");
  const model = models.find((each) => each.name === now.model);
  return [
    el("code", {}, now.model),
    model ? badge(times(model.multiplier)) : null,
    now.status === "ok" ? badge("available", "good") : null,
    now.status === "rate_limited" ? badge(`limited${now.resets_at ? ` until ${dayOf(now.resets_at)}` : ""}`, "warn") : null,
    now.status === "disabled" ? badge("not available", "bad") : null,
  ];
}
