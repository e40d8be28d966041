// Elements out of data. Text is always text: nothing here reads markup, so a name of a tenant or a
// client's user agent cannot become a part of the page.

/** An element. Attributes that are false or null are left out, `on` holds listeners, `class` may be
 *  a list; children are nodes, texts, or lists of them. */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [what, listener] of Object.entries(value)) made.addEventListener(what, listener);
    } else if (name === "class") {
      made.className = [value].flat().filter(Boolean).join(" ");
    } else if (value !== false && value !== null && value !== undefined) {
      made.setAttribute(name, value === true ? "" : String(value));
    }
  }
  append(made, children);
  return made;
}

function append(parent, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    parent.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** Everything in `parent` exchanged for `children`. */
export function fill(parent, ...children) {
  parent.replaceChildren();
  append(parent, children);
  return parent;
}

let count = 0;

/** An id nothing else on the page has. */
export function freshId(word) {
  count += 1;
  return `${word}-${count}`;
}

export function button(text, listener, { kind = "", label = null, type = "button" } = {}) {
  return el("button", { type, class: ["button", kind], "aria-label": label, on: { click: listener } }, text);
}

export function badge(text, kind = "") {
  return el("span", { class: ["badge", kind] }, text);
}

export function notice(text, kind = "") {
  return el("p", { class: ["notice", kind], role: kind === "bad" ? "alert" : null }, text);
}

/** What stands where a list is empty: what it is, and what to do next. */
export function empty(title, next, ...actions) {
  return el("div", { class: "empty" }, el("strong", {}, title), el("span", {}, next), actions);
}

export function card(title, ...children) {
  return el("section", { class: "card" }, title ? el("h2", {}, title) : null, children);
}

/** The head of a page: its title, a line about it, and buttons. */
export function pageHead(title, about, ...actions) {
  return el(
    "div",
    { class: "page-head" },
    el("div", {}, el("h1", {}, title), about ? el("p", { class: "quiet" }, about) : null),
    el("div", { class: "actions" }, actions),
  );
}

export function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return el("dl", { class: "facts" }, shown.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

export function tiles(list) {
  return el(
    "dl",
    { class: "tiles" },
    list.map(([name, value, hint]) =>
      el("div", { class: "tile" }, el("dt", {}, name), el("dd", {}, value), hint ? el("dd", { class: "hint" }, hint) : null),
    ),
  );
}

/** Said in passing, at the edge of the page and to screen readers. */
export function tell(text) {
  const line = el("p", {}, text);
  document.getElementById("told")?.append(line);
  setTimeout(() => line.remove(), 5000);
}
