// Choosing a password by way of a link. The secret is behind the # of the address, which a browser
// sends to nobody; it is taken out of the address at once.

import { post, put, Refused } from "./api.js";
import { applyTheme } from "./theme.js";

applyTheme();

const link = location.hash.slice(1);
history.replaceState(null, "", location.pathname);

const form = document.getElementById("choose");
const whose = document.getElementById("whose");
const trouble = document.getElementById("choose-error");
const password = document.getElementById("password");
const again = document.getElementById("again");

function refuse(text) {
  trouble.textContent = text;
  trouble.hidden = false;
}

function complain(input, text) {
  const place = document.getElementById(`${input.id}-error`);
  place.textContent = text;
  place.hidden = !text;
  input.setAttribute("aria-invalid", text ? "true" : "false");
  if (text) input.focus();
}

async function begin() {
  if (!link) {
    whose.hidden = true;
    refuse("This page needs the link your administrator made for you.");
    return;
  }
  try {
    const found = await post("/console/link", { link });
    whose.textContent = `For ${found.email} in ${found.tenant}.`;
    document.getElementById("email").value = found.email;
    form.hidden = false;
    password.focus();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    whose.hidden = true;
    refuse(error.message);
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  trouble.hidden = true;
  complain(password, "");
  complain(again, "");
  if (password.value !== again.value) return complain(again, "The two are not the same.");
  try {
    await put("/console/link", { link, password: password.value });
    location.assign("/");
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.field === "password") complain(password, error.message);
    else refuse(error.message);
  }
  return undefined;
});

await begin();
