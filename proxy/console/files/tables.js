// Tables: sorted by a column's head, filtered by what is typed, in pages.

import { button, el, fill, freshId } from "./dom.js";
import { count } from "./formats.js";

const ROWS_OF_A_PAGE = 25;

/** `columns` are `{title, value(row), text(row), sort(row), number, cut}`: `value` gives what is
 *  shown, `text` what the filter reads (else `value`, where it is text). Without rows `nothing` is
 *  shown in place of the table. `cut` (true, or "wide") cuts off what has no room. `actions(row)` gives what stands at a row's end. */
export function table({ caption, columns, rows, nothing, actions = null, filter = true, label = null }) {
  let wanted = "";
  let page = 0;
  let order = null;
  const holder = el("div", { class: "fields" });
  const textOf = (row) =>
    columns
      .map((each) => {
        const shown = (each.text ?? each.value)(row);
        return shown instanceof Node ? shown.textContent : String(shown ?? "");
      })
      .join(" ")
      .toLowerCase();
  const found = () => {
    const kept = wanted ? rows.filter((row) => textOf(row).includes(wanted)) : [...rows];
    if (order) {
      const key = order.column.sort ?? order.column.text ?? order.column.value;
      kept.sort((one, other) => compared(key(one), key(other)) * order.sign);
    }
    return kept;
  };

  const body = el("div", { class: "fields" });
  const search = filterField(caption, (text) => {
    wanted = text.trim().toLowerCase();
    page = 0;
    draw();
  });

  function head(column) {
    const isOrder = order?.column === column;
    const by = button(`${column.title}${isOrder ? (order.sign > 0 ? " ↑" : " ↓") : ""}`, () => {
      order = { column, sign: isOrder ? -order.sign : column.number ? -1 : 1 };
      draw();
    });
    by.className = "";
    const sort = isOrder ? (order.sign > 0 ? "ascending" : "descending") : null;
    return el("th", { scope: "col", class: column.number && "number", "aria-sort": sort }, by);
  }

  function draw() {
    const kept = found();
    const pages = Math.max(1, Math.ceil(kept.length / ROWS_OF_A_PAGE));
    page = Math.min(page, pages - 1);
    const shown = kept.slice(page * ROWS_OF_A_PAGE, (page + 1) * ROWS_OF_A_PAGE);
    const turn = (by) => () => {
      page += by;
      draw();
    };
    fill(
      body,
      shown.length
        ? el(
            "div",
            { class: "scroll", tabindex: "0", role: "region", "aria-label": label ?? caption },
            el(
              "table",
              {},
              el("caption", { class: "unseen" }, caption),
              el("thead", {}, el("tr", {}, columns.map(head), actions ? el("th", { scope: "col" }, el("span", { class: "unseen" }, "Actions")) : null)),
              el(
                "tbody",
                {},
                shown.map((row) =>
                  el(
                    "tr",
                    {},
                    columns.map((each) => cell(each, row)),
                    actions ? el("td", {}, el("div", { class: "row-actions" }, actions(row))) : null,
                  ),
                ),
              ),
            ),
          )
        : el("p", { class: "quiet" }, "Nothing fits this filter."),
      kept.length > ROWS_OF_A_PAGE
        ? el(
            "div",
            { class: "pager" },
            el("span", {}, `${count(page * ROWS_OF_A_PAGE + 1)}–${count(page * ROWS_OF_A_PAGE + shown.length)} of ${count(kept.length)}`),
            el(
              "span",
              { class: "actions" },
              disabledIf(button("Back", turn(-1), { kind: "small" }), page === 0),
              disabledIf(button("Next", turn(1), { kind: "small" }), page === pages - 1),
            ),
          )
        : null,
    );
  }

  if (!rows.length) return fill(holder, nothing);
  draw();
  return fill(holder, filter && rows.length > 5 ? search : null, body);
}

/** What is cut off can be read by pointing at it. */
function cell(column, row) {
  const made = el("td", { class: [column.number && "number", column.cut && "cut", column.cut === "wide" && "wide"] }, column.value(row));
  if (column.cut) made.title = made.textContent;
  return made;
}

function filterField(caption, onText) {
  const id = freshId("filter");
  const input = el("input", { id, type: "search", placeholder: "Filter", on: { input: () => onText(input.value) } });
  return el("div", { class: "filters" }, el("div", { class: "field" }, el("label", { for: id, class: "unseen" }, `Filter: ${caption}`), input));
}

function disabledIf(made, is) {
  made.disabled = is;
  return made;
}

function compared(one, other) {
  if (typeof one === "number" || typeof other === "number") return (one ?? -Infinity) - (other ?? -Infinity);
  return String(one ?? "").localeCompare(String(other ?? ""));
}
