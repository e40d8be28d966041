// Light or dark: as the system has it, until somebody chooses.

const NAME = "console-theme";

function kept() {
  try {
    return localStorage.getItem(NAME);
  } catch {
    return null; // a browser may keep nothing
  }
}

export function applyTheme() {
  const chosen = kept();
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
}

export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

export function turnTheme() {
  try {
    localStorage.setItem(NAME, isDark() ? "light" : "dark");
  } catch {
    return;
  }
  applyTheme();
  dispatchEvent(new Event("theme"));
}
