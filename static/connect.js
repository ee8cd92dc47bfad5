/* The waiting part of the connect page: asks only while somebody looks, and says what is new.
 *
 * The answer to a form takes the place of the whole wizard; its address then is one that can be
 * reloaded, and names the key that is shown by its id.
 *
 * The DOM it expects:
 *
 *   <div id="connect" data-address="/connect?tool=…">
 *   <section data-listen data-news="The first success has come."
 *     hx-get="/connect/listen?…" hx-trigger="every 2s, listen:now" hx-swap="outerHTML">
 *       <span data-listen-pill></span>   what it is doing, in words and colour
 *   <div id="announcer" role="status">   what a screen reader hears
 *
 * An answer that is no page part (an error, a sign-in) leaves what is shown as it is.
 */
(() => {
  "use strict";

  const FINAL_STATUSES = new Set([401, 403, 404, 410]);
  let ended = false;
  let lastNews = part()?.dataset.news ?? "";
  let address = wizard()?.dataset.address;

  function wizard() {
    return document.getElementById("connect");
  }

  function part() {
    return document.querySelector("[data-listen]");
  }

  function isListener(event) {
    return event.target.matches?.("[data-listen]");
  }

  function show(state, label) {
    const pill = part()?.querySelector("[data-listen-pill]");
    if (!pill) return;
    pill.dataset.state = state;
    pill.textContent = label;
  }

  document.addEventListener("htmx:config:request", (event) => {
    if (isListener(event) && (document.hidden || ended)) event.preventDefault();
  });

  document.addEventListener("htmx:before:response", (event) => {
    if (!isListener(event)) return;
    const { status } = event.detail.ctx.response;
    if (status < 400) return show("live", "Listening");
    event.preventDefault();
    ended = FINAL_STATUSES.has(status);
    if (ended) show("ended", status === 401 ? "Signed out" : "Stopped");
    else show("reconnecting", "Reconnecting");
  });

  document.addEventListener("htmx:error", (event) => {
    if (isListener(event)) show("reconnecting", "Reconnecting");
  });

  document.addEventListener("htmx:after:swap", () => {
    const wanted = wizard()?.dataset.address;
    if (wanted && wanted !== address) history.replaceState(history.state, "", wanted);
    address = wanted;
    keepFocus();
  });

  /* The button that was pressed may be gone with its form: on with what the answer is about. */
  function keepFocus() {
    if (document.activeElement !== document.body) return;
    const next = wizard()?.querySelector("[aria-invalid]") ?? wizard()?.querySelector(".secret button");
    next?.focus({ preventScroll: true });
  }

  document.addEventListener("htmx:after:swap", () => {
    const news = part()?.dataset.news ?? "";
    const announcer = document.getElementById("announcer");
    if (news && news !== lastNews && announcer) announcer.textContent = news;
    lastNews = news;
  });

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && part()?.hasAttribute("hx-get")) htmx.trigger(part(), "listen:now");
  });
})();
