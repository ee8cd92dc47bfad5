/* The log's keyboard, its filter in place, and the event beside it. Without it all are links.
 *
 * The DOM it expects:
 *
 *   <div id="log" data-log [data-open]>                 all of it is fetched anew for another filter
 *     <form data-filter>                                submits in place; a choice submits at once
 *     <a data-go>                                       opens in place, as do a row's a.same, which
 *                                                       are added to the present filter
 *     <tr><a class="row-link">                          opens beside the log on a wide screen
 *     <aside data-panel hidden> <a data-panel-page> <a data-panel-close> <div id="event-panel-body">
 *   <button data-help-open>, <dialog id="log-help">
 */
(() => {
  "use strict";

  const WIDE = window.matchMedia("(min-width: 75rem)");
  const PAGE_ONLY = ["before", "after"];

  const find = (selector) => document.querySelector(selector);
  const links = () => [...document.querySelectorAll("#log tbody .row-link")];

  /* --- addresses ------------------------------------------------------------------------------- */

  const here = () => location.pathname + location.search;

  function addressWith(changes) {
    const url = new URL(location.href);
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || value === "") url.searchParams.delete(name);
      else url.searchParams.set(name, value);
    }
    return url.pathname + url.search;
  }

  /* "Same as this row": what the link filters by, on top of what is filtered already. */
  function narrowed(link) {
    const changes = Object.fromEntries(new URL(link.href).searchParams);
    PAGE_ONLY.forEach((name) => (changes[name] = null));
    return addressWith(changes);
  }

  async function go(address) {
    const focused = document.activeElement?.id;
    history.pushState({ log: true }, "", address);
    shown = here();
    await htmx.ajax("GET", address, { target: "#log", select: "#log", swap: "outerHTML" });
    (document.getElementById(focused) ?? find("#main"))?.focus({ preventScroll: true });
    const chips = [...document.querySelectorAll(".log-chips .chip")].length;
    const count = links().length;
    announce(`${count} ${count === 1 ? "event" : "events"}${chips ? ", filtered" : ""}`);
  }

  function announce(text) {
    const announcer = find("#announcer");
    if (announcer) announcer.textContent = text;
  }

  function submitted(form) {
    const data = new FormData(form);
    const url = new URL(form.action);
    for (const [name, value] of data) if (value) url.searchParams.append(name, value);
    const open = new URLSearchParams(location.search).get("event");
    if (open) url.searchParams.set("event", open);
    return url.pathname + url.search;
  }

  /* --- the event beside the log ---------------------------------------------------------------- */

  function mark(link) {
    for (const other of document.querySelectorAll("#log .row-link[aria-current]")) {
      if (other !== link) other.removeAttribute("aria-current");
    }
    link?.setAttribute("aria-current", "true");
  }

  async function open(link) {
    const panel = find("[data-panel]");
    const publicId = link.closest("tr").id.replace("event-", "");
    mark(link);
    panel.hidden = false;
    find("#log").dataset.open = "";
    find("[data-panel-page]").href = link.href;
    history.replaceState(history.state, "", addressWith({ event: publicId }));
    shown = here();
    await htmx.ajax("GET", link.getAttribute("href"), {
      target: "#event-panel-body",
      select: "#event",
      swap: "innerHTML",
    });
    panel.scrollTop = 0;
    panel.focus({ preventScroll: true });
  }

  function close() {
    const panel = find("[data-panel]:not([hidden])");
    if (!panel) return;
    const link = find("#log .row-link[aria-current]");
    panel.hidden = true;
    find("#event-panel-body").replaceChildren();
    delete find("#log").dataset.open;
    history.replaceState(history.state, "", addressWith({ event: null }));
    shown = here();
    mark(null);
    (link ?? find("#main"))?.focus();
  }

  function showOpened() {
    const publicId = new URLSearchParams(location.search).get("event");
    const row = publicId && document.getElementById(`event-${publicId}`);
    mark(row?.querySelector(".row-link") ?? null);
  }

  /* --- clicks and forms ------------------------------------------------------------------------ */

  const isPlain = (event) =>
    event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;

  function answer(event, action) {
    event.preventDefault();
    action();
  }

  document.addEventListener("click", (event) => {
    if (find("[data-help-open]")?.contains(event.target)) find("#log-help").showModal();
    const link = event.target.closest("#log a");
    if (!link || !isPlain(event)) return;
    if (link.matches("[data-panel-close]")) answer(event, close);
    else if (link.matches(".same")) answer(event, () => go(narrowed(link)));
    else if (link.matches("[data-go], .pagination a")) answer(event, () => go(link.href));
    else if (link.matches(".row-link") && WIDE.matches) answer(event, () => open(link));
  });

  document.addEventListener("submit", (event) => {
    if (event.target.matches("[data-filter]")) {
      answer(event, () => go(submitted(event.target)));
    }
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-filter] select")) event.target.form.requestSubmit();
  });

  /* A link to a place on the page is no step to another list. */
  let shown = here();
  window.addEventListener("popstate", () => {
    if (here() !== shown) location.reload();
  });

  /* --- the keyboard ---------------------------------------------------------------------------- */

  function step(by) {
    const all = links();
    const at = all.indexOf(document.activeElement);
    const current = at >= 0 ? at : all.findIndex((link) => link.matches("[aria-current]"));
    const next = current < 0 ? 0 : Math.min(Math.max(current + by, 0), all.length - 1);
    all[next]?.focus();
    all[next]?.closest("tr").scrollIntoView({ block: "nearest" });
  }

  const KEYS = {
    j: () => step(1),
    k: () => step(-1),
    "/": () => find("#filter-q")?.focus(),
    p: () => document.dispatchEvent(new Event("live:toggle")),
    "?": () => find("#log-help")?.showModal(),
    Escape: close,
  };

  const isField = (element) =>
    element?.matches?.("input, textarea, select, [contenteditable]") ?? false;

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (find("dialog[open]") || find("details[data-menu][open]")) return;
    if (isField(event.target)) {
      if (event.key === "Escape" && event.target.closest("#log")) event.target.blur();
      return;
    }
    const action = KEYS[event.key];
    if (action && find("#log")) answer(event, action);
  });

  document.addEventListener("htmx:after:swap", showOpened);
  document.addEventListener("live:placed", showOpened);
  showOpened();
})();
