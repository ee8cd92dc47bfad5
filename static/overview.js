/* The overview's own: it is not fetched anew while nobody looks, and at once when somebody does.
 *
 *   <div data-pauses-hidden hx-trigger="every 15s, page:seen">
 */
(() => {
  "use strict";

  document.addEventListener("htmx:before:request", (event) => {
    const isPolled = event.target.matches?.("[data-pauses-hidden]");
    if (isPolled && document.hidden) event.preventDefault();
  });

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    for (const element of document.querySelectorAll("[data-pauses-hidden]")) {
      htmx.trigger(element, "page:seen");
    }
  });
})();
