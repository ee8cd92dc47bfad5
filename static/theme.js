/* Applied before the first paint: the chosen theme, or the system's. app.js changes it later. */
(() => {
  "use strict";

  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  function chosen() {
    try {
      return localStorage.getItem("theme") || "system";
    } catch {
      return "system";
    }
  }

  function apply() {
    const choice = chosen();
    const isDark = choice === "dark" || (choice === "system" && dark.matches);
    root.dataset.theme = choice;
    root.classList.toggle("dark", isDark);
    root.classList.toggle("light", !isDark);
  }

  apply();
  dark.addEventListener("change", apply);
  document.addEventListener("theme:chosen", apply);
})();
