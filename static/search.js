/* Keeps the address in step with a search that htmx does in place, so that it can be shared.
 *
 * The DOM it expects:
 *
 *   <form data-search method="get" action="…" hx-get="…"> <input name="q"> </form>
 */
(() => {
  "use strict";

  document.addEventListener("htmx:after:swap", () => {
    const form = document.querySelector("form[data-search]");
    if (!form) return;
    const filled = [...new FormData(form)].filter(([, value]) => value.trim());
    const query = new URLSearchParams(filled).toString();
    const address = new URL(form.action);
    history.replaceState(history.state, "", query ? `${address.pathname}?${query}` : address.pathname);
  });
})();
