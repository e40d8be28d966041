// Tabs, as the ARIA practices have them: arrows move, the chosen one is in the order of Tab.

import { el, fill, freshId } from "./dom.js";

/** `list` are `{name, body()}`. */
export function tabs(label, list) {
  const panel = el("div", { role: "tabpanel", id: freshId("panel"), class: "fields", tabindex: "0" });
  const heads = list.map((each, number) =>
    el("button", { type: "button", role: "tab", id: freshId("tab"), "aria-controls": panel.id, on: { click: () => choose(number), keydown: (event) => move(event, number) } }, each.name),
  );

  function choose(number) {
    heads.forEach((head, at) => {
      head.setAttribute("aria-selected", String(at === number));
      head.tabIndex = at === number ? 0 : -1;
    });
    panel.setAttribute("aria-labelledby", heads[number].id);
    fill(panel, list[number].body());
  }

  function move(event, number) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    const target = (number + by + list.length) % list.length;
    choose(target);
    heads[target].focus();
  }

  choose(0);
  return el("div", { class: "fields" }, el("div", { class: "tabs", role: "tablist", "aria-label": label }, heads), panel);
}
