/* Applied before the first paint: the account's theme, which the server has written on <html>; where
 * nobody is signed in, the one that this browser had last; else the system's. app.js changes it later.
 */
(() => {
  "use strict";

  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  function kept() {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null;
    }
  }

  function keep(choice) {
    try {
      localStorage.setItem("theme", choice);
    } catch {
      /* Then the sign-in page follows the system. */
    }
  }

  function apply() {
    const choice = root.dataset.theme;
    const isDark = choice === "dark" || (choice === "system" && dark.matches);
    root.classList.toggle("dark", isDark);
    root.classList.toggle("light", !isDark);
    keep(choice);
  }

  root.dataset.theme ||= kept() || "system";
  root.classList.add("has-js");
  apply();
  dark.addEventListener("change", apply);
  document.addEventListener("theme:chosen", apply);
})();
