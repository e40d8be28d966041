// Signing in: by address and password, or elsewhere, whichever of them this page has.

import { el, fill } from "./dom.js";
import { get, post, Refused } from "./api.js";
import { applyTheme } from "./theme.js";

applyTheme();

const asked = new URLSearchParams(location.search);

/** Where to go on; only a path of this site. */
function next() {
  const wanted = asked.get("next") ?? "";
  const target = new URL(wanted || "/", location.origin);
  return target.origin === location.origin && wanted.startsWith("/") ? target.pathname + target.search : "/";
}

function complain(input, text) {
  const place = document.getElementById(`${input.id}-error`);
  place.textContent = text;
  place.hidden = !text;
  input.setAttribute("aria-invalid", text ? "true" : "false");
  if (text) input.focus();
}

function options(tenants) {
  return tenants.map((each) => el("option", { value: each.id }, each.name));
}

/** Carries out what a form is for; a refusal is told in the form. */
function onSubmit(form, trouble, work) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    trouble.hidden = true;
    const send = form.querySelector("button[type=submit]");
    send.disabled = true;
    try {
      await work();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      trouble.textContent = error.message;
      trouble.hidden = false;
    } finally {
      send.disabled = false;
    }
  });
}

function byPassword(form) {
  const email = document.getElementById("email");
  const password = document.getElementById("password");
  const tenantField = document.getElementById("tenant-field");
  const tenant = document.getElementById("tenant");
  onSubmit(form, document.getElementById("sign-in-error"), async () => {
    complain(email, "");
    complain(password, "");
    if (!email.value.trim()) return complain(email, "Please fill this in.");
    if (!password.value) return complain(password, "Please fill this in.");
    const wish = { email: email.value.trim(), password: password.value };
    if (!tenantField.hidden) wish.tenant_id = tenant.value;
    const said = await post("/console/session", wish);
    if (said.signed_in) return location.assign(next());
    fill(tenant, options(said.tenants));
    tenantField.hidden = false;
    tenant.focus();
    return undefined;
  });
  email.focus();
}

/** Back from elsewhere, with several workspaces to choose from. */
async function chooseWorkspace(form) {
  const workspace = document.getElementById("workspace");
  const trouble = document.getElementById("choose-workspace-error");
  onSubmit(form, trouble, async () => {
    const said = await post("/console/oidc/choice", { tenant_id: workspace.value });
    location.assign(said.next);
  });
  form.hidden = false;
  try {
    fill(workspace, options((await get("/console/oidc/choice")).tenants));
    workspace.focus();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    trouble.textContent = error.message;
    trouble.hidden = false;
  }
}

const elsewhere = document.getElementById("sign-in-elsewhere");
if (elsewhere && asked.has("next")) elsewhere.search = new URLSearchParams({ next: next() });
const form = document.getElementById("sign-in");
if (form) byPassword(form);
if (elsewhere && asked.has("choose")) await chooseWorkspace(document.getElementById("choose-workspace"));
