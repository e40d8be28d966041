// Signing in.

import { el, fill } from "./dom.js";
import { post, Refused } from "./api.js";
import { applyTheme } from "./theme.js";

applyTheme();

const form = document.getElementById("sign-in");
const trouble = document.getElementById("sign-in-error");
const email = document.getElementById("email");
const password = document.getElementById("password");
const tenantField = document.getElementById("tenant-field");
const tenant = document.getElementById("tenant");

/** Where to go on; only a path of this site. */
function next() {
  const asked = new URLSearchParams(location.search).get("next") ?? "";
  const target = new URL(asked || "/", location.origin);
  return target.origin === location.origin && asked.startsWith("/") ? target.pathname + target.search : "/";
}

function complain(input, text) {
  const place = document.getElementById(`${input.id}-error`);
  place.textContent = text;
  place.hidden = !text;
  input.setAttribute("aria-invalid", text ? "true" : "false");
  if (text) input.focus();
}

function choose(tenants) {
  fill(tenant, tenants.map((each) => el("option", { value: each.id }, each.name)));
  tenantField.hidden = false;
  tenant.focus();
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  trouble.hidden = true;
  complain(email, "");
  complain(password, "");
  if (!email.value.trim()) return complain(email, "Please fill this in.");
  if (!password.value) return complain(password, "Please fill this in.");
  const send = form.querySelector("button[type=submit]");
  send.disabled = true;
  try {
    const wish = { email: email.value.trim(), password: password.value };
    if (!tenantField.hidden) wish.tenant_id = tenant.value;
    const said = await post("/console/session", wish);
    if (said.signed_in) location.assign(next());
    else choose(said.tenants);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    trouble.textContent = error.message;
    trouble.hidden = false;
  } finally {
    send.disabled = false;
  }
  return undefined;
});

email.focus();
