// Forms: every field with its label, what is wrong said beside the field it is about.

import { button, el, freshId, fill } from "./dom.js";
import { Refused } from "./api.js";

/** One field. `type` is that of an input, or select, textarea, checkbox, checks (several of
 *  `options`, each `{value, label, hint}`). Gives `{name, node, read, complain}`. */
export function field(wish) {
  const id = freshId(wish.name.replaceAll(".", "-"));
  const error = el("p", { class: "field-error", id: `${id}-error`, hidden: true });
  const hint = wish.hint ? el("p", { class: "hint", id: `${id}-hint` }, wish.hint) : null;
  const described = [hint ? `${id}-hint` : null, `${id}-error`].filter(Boolean).join(" ");
  const made = (MAKERS[wish.type] ?? input)(wish, id, described, error, hint);
  return {
    name: wish.name,
    node: made.node,
    control: made.control,
    read: made.read,
    complain(text) {
      error.textContent = text;
      error.hidden = !text;
      made.control.setAttribute("aria-invalid", text ? "true" : "false");
      if (text) made.control.focus();
    },
  };
}

function labelled(wish, id, control, error, hint) {
  return el("div", { class: ["field", wish.narrow && "narrow"] }, el("label", { for: id }, wish.label), control, hint, error);
}

function input(wish, id, described, error, hint) {
  const control = el("input", {
    id,
    name: wish.name,
    type: wish.type ?? "text",
    value: wish.value ?? "",
    required: wish.required,
    placeholder: wish.placeholder,
    autocomplete: wish.autocomplete ?? "off",
    min: wish.min,
    max: wish.max,
    step: wish.step,
    maxlength: wish.maxlength,
    "aria-describedby": described,
  });
  return { node: labelled(wish, id, control, error, hint), control, read: () => (wish.type === "password" ? control.value : control.value.trim()) };
}

function textarea(wish, id, described, error, hint) {
  const control = el("textarea", { id, name: wish.name, required: wish.required, "aria-describedby": described }, wish.value ?? "");
  return { node: labelled(wish, id, control, error, hint), control, read: () => control.value.trim() };
}

function select(wish, id, described, error, hint) {
  const control = el(
    "select",
    { id, name: wish.name, "aria-describedby": described },
    wish.options.map((each) =>
      el("option", { value: each.value, selected: each.value === (wish.value ?? ""), disabled: each.disabled }, each.label),
    ),
  );
  return { node: labelled(wish, id, control, error, hint), control, read: () => control.value };
}

function checkbox(wish, id, described, error, hint) {
  const control = el("input", { id, name: wish.name, type: "checkbox", checked: Boolean(wish.value), "aria-describedby": described });
  const node = el("div", { class: "field" }, el("div", { class: "check" }, control, el("label", { for: id }, wish.label)), hint, error);
  return { node, control, read: () => control.checked };
}

function checks(wish, id, described, error, hint) {
  const boxes = wish.options.map((each) => {
    const own = freshId(id);
    const box = el("input", {
      id: own,
      type: "checkbox",
      value: each.value,
      checked: (wish.value ?? []).includes(each.value),
      disabled: each.disabled,
    });
    const text = [each.label, each.hint ? el("span", { class: "hint" }, ` ${each.hint}`) : null];
    return { box, node: el("div", { class: "check" }, box, el("label", { for: own }, text)) };
  });
  const control = el("fieldset", { id, tabindex: "-1", "aria-describedby": described }, el("legend", {}, wish.label), boxes.map((each) => each.node), hint, error);
  return { node: control, control, read: () => boxes.filter((each) => each.box.checked).map((each) => each.box.value) };
}

const MAKERS = { select, textarea, checkbox, checks };

/** A form of fields. `onSubmit(values)` may throw what the API refused: it is shown beside the
 *  field it names (`aliases` turn the API's names into those of this form), else above the buttons. */
export function form({ fields, submit = "Save", onSubmit, onCancel = null, kind = "primary", row = false, aliases = {} }) {
  const made = fields.filter(Boolean).map(field);
  const trouble = el("p", { class: "notice bad", role: "alert", hidden: true });
  const send = button(submit, () => {}, { kind, type: "submit" });

  function show(error) {
    const named = aliases[error.field] ?? error.field;
    const last = String(named).split(".").at(-1);
    const owner = named ? made.find((each) => each.name === named || each.name === last) : null;
    if (owner) {
      owner.complain(error.message);
    } else {
      fill(trouble, error.field ? `${error.field}: ${error.message}` : error.message);
      trouble.hidden = false;
    }
  }

  async function carryOut(event) {
    event.preventDefault();
    trouble.hidden = true;
    for (const each of made) each.complain("");
    for (const each of made) {
      if (each.control.required && !each.read()) {
        each.complain("Please fill this in.");
        return;
      }
      if (each.control.validity && !each.control.validity.valid) {
        each.complain(each.control.validationMessage);
        return;
      }
    }
    send.disabled = true;
    try {
      await onSubmit(Object.fromEntries(made.map((each) => [each.name, each.read()])));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      show(error);
    } finally {
      send.disabled = false;
    }
  }

  return el(
    "form",
    { class: "fields", novalidate: true, on: { submit: carryOut } },
    row ? el("div", { class: "fields row" }, made.map((each) => each.node)) : made.map((each) => each.node),
    trouble,
    el("div", { class: onCancel ? "dialog-foot" : "actions" }, onCancel ? button("Cancel", onCancel) : null, send),
  );
}
