/* What every page needs of JavaScript. Pages work without it.
 *
 * The DOM it expects, all through attributes:
 *
 *   <button data-copy="text">, <button data-copy-from="#id">   copies; shows data-copied for a while
 *   <button data-theme-choice="system|light|dark">             keeps the choice, marks the current one
 *   <time datetime="…Z" data-relative>                         "3 min ago", ticking
 *   <time datetime="…Z" data-clock>                            the reader's own time of day
 *   <form data-confirm="text" data-confirm-title="…" data-confirm-label="Revoke">
 *                                                              asks in <dialog id="confirm"> first
 *   <details data-menu>                                        closes on Escape and on a click outside
 *   <button data-dismiss>                                      removes the closest [data-dismissible]
 *   <input type="search" data-filter="#id">                    hides the children of #id without the text
 *   <div id="announcer" role="status">                         what a screen reader hears
 */
(() => {
  "use strict";

  const COPIED_MS = 2000;
  const TICK_MS = 5000;

  function announce(text) {
    const announcer = document.getElementById("announcer");
    if (announcer) announcer.textContent = text;
  }

  /* --- copy ------------------------------------------------------------------------------- */

  function textToCopy(button) {
    const source = button.dataset.copyFrom && document.querySelector(button.dataset.copyFrom);
    return source ? (source.value ?? source.textContent) : (button.dataset.copy ?? "");
  }

  /* Plain http on a local network has no clipboard API: select and copy the old way. */
  function copyBySelection(text) {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "sr-only";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }

  async function copy(button) {
    const text = textToCopy(button);
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      if (!copyBySelection(text)) return announce("Copying failed");
      button.focus();
    }
    button.dataset.copied = "";
    announce("Copied");
    setTimeout(() => delete button.dataset.copied, COPIED_MS);
  }

  /* --- theme ------------------------------------------------------------------------------ */

  function showTheme() {
    const current = document.documentElement.dataset.theme || "system";
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === current));
    }
  }

  function chooseTheme(choice) {
    try {
      localStorage.setItem("theme", choice);
    } catch {
      return;
    }
    document.dispatchEvent(new Event("theme:chosen"));
    showTheme();
  }

  /* --- times ------------------------------------------------------------------------------ */

  const STEPS = [
    [60, 1, "s"],
    [3600, 60, "min"],
    [86400, 3600, "h"],
    [30 * 86400, 86400, "d"],
  ];

  /* Same words as `relative` in app/console/formatting.py; older than 30 days is left as it is. */
  function relative(then, now) {
    const seconds = Math.floor(Math.abs(now - then) / 1000);
    if (seconds < 5) return "just now";
    const step = STEPS.find(([limit]) => seconds < limit);
    if (!step) return null;
    const amount = `${Math.floor(seconds / step[1])} ${step[2]}`;
    return then <= now ? `${amount} ago` : `in ${amount}`;
  }

  const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  const DAY = { day: "numeric", month: "short" };

  function clock(then, now) {
    const time = then.toLocaleTimeString("en-GB", CLOCK);
    const isToday = then.toDateString() === now.toDateString();
    return isToday ? time : `${then.toLocaleDateString("en-GB", DAY)}, ${time}`;
  }

  function refreshTimes() {
    const now = new Date();
    for (const element of document.querySelectorAll("time[data-relative], time[data-clock]")) {
      const then = new Date(element.dateTime);
      if (Number.isNaN(then.getTime())) continue;
      const text = "clock" in element.dataset ? clock(then, now) : relative(then, now);
      if (text && element.textContent !== text) element.textContent = text;
    }
  }

  /* --- confirm ---------------------------------------------------------------------------- */

  const confirmed = new WeakSet();

  function askFirst(event) {
    const form = event.target;
    const dialog = document.getElementById("confirm");
    if (!form.matches?.("form[data-confirm]") || !dialog || confirmed.delete(form)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const submitter = event.submitter;
    dialog.querySelector("[data-confirm-slot=title]").textContent =
      form.dataset.confirmTitle || "Are you sure?";
    dialog.querySelector("[data-confirm-slot=text]").textContent = form.dataset.confirm;
    dialog.querySelector("[data-confirm-slot=label]").textContent =
      form.dataset.confirmLabel || "Continue";
    dialog.returnValue = "";
    dialog.addEventListener("close", () => proceed(dialog, form, submitter), { once: true });
    dialog.showModal();
  }

  function proceed(dialog, form, submitter) {
    if (dialog.returnValue !== "yes") return;
    confirmed.add(form);
    form.requestSubmit(submitter);
  }

  /* --- filter ----------------------------------------------------------------------------- */

  function filter(input) {
    const wanted = input.value.trim().toLowerCase();
    for (const child of document.querySelector(input.dataset.filter)?.children ?? []) {
      child.hidden = !child.textContent.toLowerCase().includes(wanted);
    }
  }

  /* --- menus and listeners ---------------------------------------------------------------- */

  function closeMenus(except) {
    for (const menu of document.querySelectorAll("details[data-menu][open]")) {
      if (menu !== except) menu.open = false;
    }
  }

  /* On a small screen the navigation scrolls sideways: begin where the reader is. */
  function showCurrentPage() {
    const current = document.querySelector(".topnav [aria-current]");
    const nav = current?.parentElement;
    if (!nav || current.offsetLeft + current.offsetWidth <= nav.clientWidth) return;
    nav.scrollLeft = current.offsetLeft - nav.clientWidth / 2;
  }

  document.addEventListener("click", (event) => {
    closeMenus(event.target.closest("details[data-menu]"));
    const button = event.target.closest("button");
    if (!button) return;
    if ("copy" in button.dataset || "copyFrom" in button.dataset) copy(button);
    if (button.dataset.themeChoice) chooseTheme(button.dataset.themeChoice);
    if ("dismiss" in button.dataset) button.closest("[data-dismissible]")?.remove();
  });

  document.addEventListener("input", (event) => {
    if ("filter" in event.target.dataset) filter(event.target);
  });

  document.addEventListener("keydown", (event) => {
    /* Enter in a filter would send the form around it. */
    if (event.key === "Enter" && event.target.matches?.("[data-filter]")) event.preventDefault();
    if (event.key !== "Escape") return;
    const menu = event.target.closest?.("details[data-menu][open]");
    closeMenus(null);
    menu?.querySelector("summary")?.focus();
  });

  document.addEventListener("submit", askFirst, true);
  document.addEventListener("htmx:after:swap", refreshTimes);
  document.documentElement.classList.add("has-js");
  showTheme();
  showCurrentPage();
  refreshTimes();
  setInterval(refreshTimes, TICK_MS);
})();
