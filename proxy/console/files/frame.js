// The frame around every page: who is signed in, the navigation, banners, and the page itself.

import { el, fill, pageHead, tell } from "./dom.js";
import { get, remove, useForgeryToken, Refused } from "./api.js";
import { banners } from "./banners.js";
import { applyTheme, turnTheme } from "./theme.js";

applyTheme();

const main = document.getElementById("page");
const menu = document.getElementById("menu");

function moduleOf(path) {
  return `./${path.slice(1).replaceAll("/", "-")}.js`;
}

function showMenu(session) {
  const groups = new Map();
  for (const page of session.pages) groups.set(page.group, [...(groups.get(page.group) ?? []), page]);
  fill(
    menu,
    [...groups].map(([group, pages]) => [
      el("h2", {}, group),
      el(
        "ul",
        {},
        pages.map((page) =>
          el("li", {}, el("a", { href: page.path, "aria-current": page.path === location.pathname ? "page" : null }, page.title)),
        ),
      ),
    ]),
  );
}

function wireBar(session) {
  document.getElementById("who").textContent = `${session.email} · ${session.tenant}`;
  document.getElementById("theme-button").addEventListener("click", turnTheme);
  document.getElementById("sign-out").addEventListener("click", async () => {
    await remove("/console/session");
    location.assign("/");
  });
  const opener = document.getElementById("menu-button");
  opener.addEventListener("click", () => {
    const open = menu.classList.toggle("open");
    opener.setAttribute("aria-expanded", String(open));
    if (open) menu.querySelector("a")?.focus();
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && menu.classList.contains("open")) opener.click();
  });
}

/** What is wrong where a page cannot be shown. */
function troubled(title, text) {
  fill(main, pageHead(title, ""), el("p", { class: "notice bad", role: "alert" }, text));
}

async function begin() {
  const session = await get("/console/session");
  useForgeryToken(session.forgery_token);
  session.may = (...names) => names.some((name) => session.permissions.includes(name));
  session.origin = session.address || location.origin;
  session.baseUrl = `${session.origin}/v1/anthropic`;
  showMenu(session);
  wireBar(session);
  const path = location.pathname.replace(/\/$/, "");
  const page = session.pages.find((each) => each.path === path);
  const known = session.all_pages.find((each) => each.path === path);
  document.title = `${known?.title ?? "Not found"} · Messages Gateway`;
  if (!page) {
    troubled(known?.title ?? "Not found", known ? `Your role ${session.role} may not see this page. Ask your administrator.` : "There is no such page.");
    main.dataset.shown = "refused";
    return;
  }
  const [{ show }, told] = await Promise.all([import(moduleOf(path)), banners()]);
  fill(main, told);
  try {
    const holder = el("div", { class: "fields" });
    main.append(holder);
    await show(holder, session);
    main.dataset.shown = "yes";
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    main.append(el("p", { class: "notice bad", role: "alert" }, error.message, error.requestId ? ` (request ${error.requestId})` : ""));
    main.dataset.shown = "refused";
  }
}

addEventListener("unhandledrejection", (event) => {
  if (event.reason instanceof Refused) {
    event.preventDefault();
    tell(event.reason.message);
    return;
  }
  troubled("Something went wrong", "The page failed. Load it again; if that does not help, tell the operator what you did.");
  main.dataset.shown = "failed";
});

await begin();
