// Light or dark: as the system says, unless somebody chose.

const KEY = "lambda-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

/** Applies what was chosen before. */
export function startTheme() {
  const chosen = localStorage.getItem(KEY);
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  system.addEventListener("change", tell);
}

export const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";

export function toggleTheme() {
  const theme = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  localStorage.setItem(KEY, theme);
  tell();
}

/** Canvases do not follow the style sheet by themselves. */
function tell() {
  window.dispatchEvent(new Event("themechange"));
}
