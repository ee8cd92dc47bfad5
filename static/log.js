/* The log's keyboard, its filter in place, and the event beside it. Without it all are links.
 *
 * The DOM it expects:
 *
 *   <div id="log" data-log [data-open]>                 all of it is fetched anew for another filter
 *     <section data-no-event>                           where there is no event with the address's id
 *     <form data-filter>                                submits in place; a choice submits at once
 *       <span data-zone-name>UTC</span>                 the zone that the times below are told in
 *       <input type="datetime-local" data-moment="…Z">  the address carries it with its offset
 *     <a data-go>                                       opens in place, as do a row's a.same, which
 *                                                       are added to the present filter
 *     <div class="log-list"> <tr><a class="row-link">   opens beside the log on a wide screen
 *     <aside data-panel hidden hx-preserve>             stays while the list beside it changes; its
 *       <a data-panel-page> <a data-panel-close>        forms act in it
 *       <div id="event-panel-body">
 *   <button data-help-open>, <dialog id="log-help"> <input type="checkbox" data-shortcuts>
 *
 * The open event is ?event=… in the address. On a narrow screen, that is the event's own page.
 */
(() => {
  "use strict";

  const WIDE = window.matchMedia("(min-width: 75rem)");
  const PAGE_ONLY = ["before", "after", "shown"];
  const MOMENTS = ["since", "until"];
  const EVENT_PATH = /\/events\/([a-z0-9]{24})$/;

  const find = (selector) => document.querySelector(selector);
  const links = () => [...document.querySelectorAll(".log-list tbody .row-link")];

  /* --- times in the filter --------------------------------------------------------------------- */

  const ZONE =
    document.documentElement.dataset.timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  const MINUTE_MS = 60_000;

  /* "2026-11-24T11:42:07" on the reader's clock; throws RangeError for a zone that is unknown here. */
  function onTheClock(moment) {
    const options = { timeZone: ZONE, dateStyle: "short", timeStyle: "medium" };
    return new Intl.DateTimeFormat("sv-SE", options).format(moment).replace(" ", "T");
  }

  /* In minutes, at a time that is given as if it were UTC. */
  function offsetAt(local) {
    const at = (moment) => (Date.parse(`${onTheClock(moment)}Z`) - moment) / MINUTE_MS;
    return at(local - at(local) * MINUTE_MS);
  }

  function withOffset(text) {
    const local = Date.parse(`${text}Z`);
    if (Number.isNaN(local)) return text;
    try {
      const minutes = Math.round(offsetAt(local));
      const [hours, rest] = [Math.trunc(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
      const two = (number) => String(number).padStart(2, "0");
      return `${text}${minutes < 0 ? "-" : "+"}${two(hours)}:${two(rest)}`;
    } catch {
      return text; // The server knows the zone, and sends on to the address with the offset.
    }
  }

  /* Where the account has a zone, the server has written all this already. */
  function showTimes() {
    if (document.documentElement.dataset.timeZone) return;
    for (const name of document.querySelectorAll("[data-zone-name]")) name.textContent = ZONE;
    for (const field of document.querySelectorAll("[data-moment]")) {
      field.value = onTheClock(new Date(field.dataset.moment)).replace(/:00$/, "");
    }
  }

  /* --- addresses ------------------------------------------------------------------------------- */

  const addressOf = (publicId) => `${document.body.dataset.root}events/${publicId}`;
  const here = () => location.pathname + location.search;

  function listOf(address) {
    const url = new URL(address, location.href);
    url.searchParams.delete("event");
    return url.href;
  }

  const asked = () =>
    find("[data-no-event]") ? null : new URLSearchParams(location.search).get("event");

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

  function submitted(form) {
    const url = new URL(form.action);
    for (const [name, value] of new FormData(form)) {
      const isMoment = MOMENTS.includes(name) && form.elements[name].type !== "text";
      if (value) url.searchParams.append(name, isMoment ? withOffset(value) : value);
    }
    return url.href;
  }

  /* --- the list -------------------------------------------------------------------------------- */

  let shown = here();
  let turn = 0;

  /* The event that is open beside it stays open. */
  function go(address) {
    const url = new URL(address, location.href);
    if (asked()) url.searchParams.set("event", asked());
    else url.searchParams.delete("event");
    history.pushState({ log: true }, "", url.pathname + url.search);
    return fetchList();
  }

  async function fetchList() {
    const mine = ++turn;
    shown = here();
    await htmx.ajax("GET", shown, {
      source: "#log",
      target: "#log",
      select: "#log",
      swap: "outerSync",
    });
    if (mine !== turn) return; // A newer filter has ended this request, and fetches its own.
    showPanel();
    announceCount();
  }

  /* And how far the search came; while it goes on by itself there is nothing to tell. */
  function announceCount() {
    if (find(".log-rest[hx-get]")) return;
    const chips = document.querySelectorAll(".log-chips .chip").length;
    const count = links().length;
    const stopped = find(".log-stopped span")?.textContent ?? "";
    announce(`${count} ${count === 1 ? "event" : "events"}${chips ? ", filtered" : ""}. ${stopped}`);
  }

  function announce(text) {
    const announcer = find("#announcer");
    if (announcer) announcer.textContent = text;
  }

  /* What the reader is at when the list is replaced: an open filter, the focus, and what is typed;
   * a step back shows what was searched for then. */
  let focused = null;
  let isBack = false;

  function keepPlace(tasks) {
    focused = document.activeElement;
    for (const { fragment } of tasks) {
      const filter = fragment?.querySelector(".log-more");
      if (filter && find(".log-more")?.open) filter.open = true;
    }
  }

  function findPlace() {
    const mayCopy = !isBack;
    isBack = false;
    if (!focused || focused.isConnected) return;
    const again = standIn(focused);
    const isField = again.matches("input") && focused.matches("input");
    if (mayCopy && isField) again.value = focused.value;
    again.focus({ preventScroll: true });
    const { selectionStart, selectionEnd } = focused;
    if (mayCopy && isField && selectionEnd !== null) {
      again.setSelectionRange(selectionStart, selectionEnd);
    }
    focused = null;
  }

  /* What has taken the place of what is gone, or is nearest to it. */
  function standIn(gone) {
    const row = gone.closest("tr[id]")?.id;
    return (
      (gone.id && document.getElementById(gone.id)) ||
      (row && document.getElementById(row)?.querySelector(".row-link")) ||
      (gone.matches(".chip") && find(".log-chips a")) ||
      (gone.matches(".segments a") && find(".segments [aria-current]")) ||
      find("#main")
    );
  }

  /* A search that goes on by itself has replaced its "Go on". */
  let hadGoOn = false;

  function keepGoOn() {
    if (!hadGoOn || find("#go-on")) return;
    (find(".log-rest .row-link") ?? find("#main")).focus({ preventScroll: true });
  }

  /* --- the event beside the log ---------------------------------------------------------------- */

  const idOf = (link) => EVENT_PATH.exec(link.pathname)?.[1];
  const opened = () => find("#event-panel-body #event")?.dataset.eventId;

  function markOpened() {
    const row = asked() && document.getElementById(`event-${asked()}`);
    for (const link of document.querySelectorAll("#log .row-link[aria-current]")) {
      if (link.closest("tr") !== row) link.removeAttribute("aria-current");
    }
    row?.querySelector(".row-link")?.setAttribute("aria-current", "true");
  }

  /* As a step of its own, Back leads to what was open before. */
  function note(publicId, isStep = false) {
    const address = addressWith({ event: publicId });
    if (isStep && address !== here()) history.pushState({ log: true }, "", address);
    else history.replaceState(history.state, "", address);
    shown = here();
    markOpened();
  }

  async function open(publicId, isStep = false) {
    const panel = find("[data-panel]");
    find("[data-no-event]")?.remove();
    note(publicId, isStep);
    panel.hidden = false;
    find("#log").dataset.open = "";
    find("[data-panel-page]").href = addressOf(publicId);
    await ask("GET", addressOf(publicId), { source: "#event-panel-body" });
    if (asked() !== publicId) return;
    if (opened() !== publicId) return close();
    panel.scrollTop = 0;
    panel.focus({ preventScroll: true });
  }

  function ask(method, address, options) {
    const place = { target: "#event-panel-body", select: "#event", swap: "innerHTML" };
    return htmx.ajax(method, address, { ...place, ...options });
  }

  /* The answer is the event's page with what came of it, or the page of the event that came of it. */
  async function act(form, event) {
    if ("busy" in form.dataset) return;
    form.dataset.busy = "";
    const before = asked();
    await ask("POST", form.getAttribute("action"), { source: form, event });
    delete form.dataset.busy;
    const publicId = opened();
    if (!publicId) return open(before); // Another page answered.
    note(publicId);
    find("[data-panel-page]").href = addressOf(publicId);
    if (form.isConnected) return; // What the server did not take is told beside it.
    const panel = find("[data-panel]");
    (panel.querySelector("[aria-invalid]") ?? panel).focus({ preventScroll: true });
  }

  function close() {
    const panel = find("[data-panel]:not([hidden])");
    if (!panel) return;
    const link = find(".log-list .row-link[aria-current]");
    hide(panel);
    note(null);
    (link ?? find("#main"))?.focus();
  }

  function hide(panel) {
    panel.hidden = true;
    find("#event-panel-body").replaceChildren();
    delete find("#log").dataset.open;
  }

  /* As the address says; a narrow screen has no place beside the log, and there Back leads to the
   * list. */
  function showPanel(cameBack = false) {
    const publicId = asked();
    const panel = find("[data-panel]");
    markOpened();
    if (!publicId || !EVENT_PATH.test(`/events/${publicId}`)) hide(panel);
    else if (!WIDE.matches && cameBack) hide(panel);
    else if (!WIDE.matches) location.replace(addressOf(publicId));
    else if (opened() !== publicId) open(publicId);
  }

  /* --- clicks and forms ------------------------------------------------------------------------ */

  const isPlain = (event) =>
    event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;

  /* Rows, and what the open event is related to. */
  const opensBeside = (link) =>
    idOf(link) && !link.search && link.matches(".row-link, #event-panel-body a");

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
    else if (WIDE.matches && opensBeside(link)) answer(event, () => open(idOf(link), true));
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented) return;
    if (form.matches("[data-filter]")) answer(event, () => go(submitted(form)));
    else if (form.method === "post" && form.closest("#event-panel-body")) {
      answer(event, () => act(form, event));
    }
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-filter] select")) event.target.form.requestSubmit();
    if (event.target.matches("[data-shortcuts]")) keepShortcuts(event.target.checked);
  });

  /* A link to a place on the page is no step to another list, nor is another event beside it. */
  window.addEventListener("popstate", () => {
    if (here() === shown) return;
    const isSameList = listOf(here()) === listOf(shown);
    shown = here();
    if (isSameList) return showPanel(true);
    isBack = true;
    fetchList();
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
  };

  const isField = (element) =>
    element?.matches?.("input, textarea, select, [contenteditable]") ?? false;

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.isComposing) return;
    if (find("dialog[open]") || find("details[data-menu][open]")) return;
    if (isField(event.target)) {
      if (event.key === "Escape" && event.target.closest("#log")) event.target.blur();
      return;
    }
    const action = event.key === "Escape" ? close : hasShortcuts && KEYS[event.key];
    if (action && find("#log")) answer(event, action);
  });

  /* Whoever dictates, or holds a key by mistake, can switch single keys off (WCAG 2.1.4). */
  let hasShortcuts = true;

  function useShortcuts(wanted) {
    hasShortcuts = wanted;
    document.documentElement.classList.toggle("no-shortcuts", !wanted);
  }

  function keepShortcuts(wanted) {
    useShortcuts(wanted);
    try {
      localStorage.setItem("shortcuts", wanted ? "on" : "off");
    } catch {
      /* Then they are off on this page only. */
    }
  }

  function readShortcuts() {
    try {
      useShortcuts(localStorage.getItem("shortcuts") !== "off");
    } catch {
      useShortcuts(true);
    }
    find("[data-shortcuts]").checked = hasShortcuts;
  }

  const isOfList = (event) => event.detail.ctx?.target?.id === "log";

  document.addEventListener("htmx:before:swap", (event) => {
    hadGoOn = document.activeElement?.id === "go-on";
    if (isOfList(event)) keepPlace(event.detail.tasks);
  });
  document.addEventListener("htmx:after:swap", (event) => {
    if (event.detail.ctx?.target?.matches?.(".log-rest")) {
      keepGoOn();
      announceCount();
    }
    if (!isOfList(event)) return;
    if (isBack) find("[data-filter]")?.reset();
    showTimes();
    findPlace();
  });
  document.addEventListener("live:placed", markOpened);
  readShortcuts();
  showTimes();
  showPanel(performance.getEntriesByType("navigation")[0]?.type === "back_forward");
})();
