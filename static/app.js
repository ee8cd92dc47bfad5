/* What every page needs of JavaScript. Pages work without it.
 *
 * Messages (toasts) have one way: the server calls flash(text, category). A whole page carries what
 * was flashed in <ul id="toasts">, in its flow without JavaScript, in a corner with it. An answer to
 * htmx brings it in a header (app/console/toasts.py):
 *
 *   HX-Trigger: {"toast": {"target": "#toasts", "toasts": [{"category": "success", "text": "…"}]}}
 *
 * which htmx turns into the event "toast"; the toast is made from <template data-toast-template=
 * "category">, its text as text. Each is told to screen readers, and goes after a while, unless it
 * is an error (data-stays), or the pointer or the focus is on it.
 *
 * Times: the server writes them in the zone of <html data-time-zone="Europe/Berlin">. Without that
 * attribute, and in rows that come over the stream, it writes UTC, and the zone is put in here.
 *
 * The DOM it expects, all through attributes:
 *
 *   <button data-copy="text">, <button data-copy-from="#id">   copies; shows data-copied for a while
 *   <button data-theme-choice="system|light|dark">             shows the theme, marks the current one
 *     in <… data-theme-save="/account/theme">                  and saves it to the account
 *   <time datetime="…Z" data-relative>                         "3 min ago", ticking; exact on hover
 *     data-relative="precise"                                to the millisecond
 *     data-relative="date"                                   the date at all times; exact on hover
 *   <a class="row-link"> around one of these                   shows on focus what is exact: [data-hushed]
 *                                                              once Escape was pressed
 *   <time datetime="…Z" data-clock>                            the time of day; exact on hover
 *   <time datetime="…Z" data-exact>                            written out
 *     data-exact="planned"                                   without seconds where there are none
 *   <input type="hidden" data-browser-zone>                    gets the browser's zone
 *   <span data-zone-name>                                      says it
 *   <form> with <input name="asked"> for title, text, label, variant
 *                                                              asks in <dialog id="confirm"> first;
 *                                                              {name} is what its field "name" holds or
 *                                                              shows, {name_at} the moment that it
 *                                                              stands for: <option data-in="ms">, or
 *                                                              name_on's
 *   <form data-continue>                                       is sent by itself: the next step
 *   <details data-menu>                                        closes on Escape and on a click outside
 *   <button data-dismiss>                                      removes the closest [data-dismissible]
 *   <input type="search" data-filter="#id">                    hides the children of #id without the text
 *   <nav class="topnav">, <nav class="segments">               begin at [aria-current]; .goes-on-before
 *                                                              and .goes-on-after where more is hidden
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

  function chooseTheme(button) {
    const choice = button.dataset.themeChoice;
    document.documentElement.dataset.theme = choice;
    document.dispatchEvent(new Event("theme:chosen"));
    for (const radio of document.querySelectorAll("input[type=radio][name=theme]")) {
      radio.checked = radio.value === choice;
    }
    showTheme();
    const address = button.closest("[data-theme-save]")?.dataset.themeSave;
    if (address) saveTheme(address, choice);
  }

  async function saveTheme(address, theme) {
    const token = document.querySelector(".menu input[name=csrf_token]")?.value ?? "";
    const body = new URLSearchParams({ theme, quick: "1", csrf_token: token });
    const answer = await fetch(address, { method: "POST", body }).catch(() => null);
    if (!answer?.ok) toast("error", "The theme could not be saved to your account.");
  }

  /* --- times ------------------------------------------------------------------------------ */

  const STEPS = [
    [60, 1, "s"],
    [3600, 60, "min"],
    [86400, 3600, "h"],
    [30 * 86400, 86400, "d"],
  ];

  /* Same words as `relative` in app/console/formatting.py; null beyond 30 days. */
  function relative(then, now) {
    const seconds = Math.abs(now - then) / 1000;
    if (seconds < 5) return "just now";
    if (seconds >= 30 * 86400) return null;
    const count = (size) => Math.floor(then <= now ? Math.floor(seconds) / size : seconds / size + 0.5);
    const step = STEPS.find(([limit, size]) => count(size) * size < limit) ?? STEPS.at(-1);
    const amount = `${count(step[1])} ${step[2]}`;
    return then <= now ? `${amount} ago` : `in ${amount}`;
  }

  const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  const MINUTE = { ...CLOCK, second: undefined };
  const MILLISECOND = { ...CLOCK, fractionalSecondDigits: 3 };
  const DAY = { day: "numeric", month: "short" };
  const DATE = { ...DAY, year: "numeric" };
  const NAMED_ZONE = { timeZoneName: "short" };
  const LOCALES = ["en-GB", "en-US", "en-AU", "en-IN"]; // Each has names only for its own zones.
  const formats = new Map();

  /* Without a zone of the account's, or with one that this browser does not know: its own. */
  const zone = (() => {
    const wanted = document.documentElement.dataset.timeZone;
    try {
      new Intl.DateTimeFormat("en-GB", { timeZone: wanted });
      return wanted;
    } catch {
      return undefined;
    }
  })();

  /* Charts are cut into days by the server, which asks no browser for its zone. */
  const own = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  const secure = location.protocol === "https:" ? "; secure" : "";
  if (own) document.cookie = `time_zone=${own}; path=/; max-age=31536000; samesite=lax${secure}`;

  function format(options, timeZone = zone, locale = "en-GB") {
    const key = JSON.stringify([options, timeZone, locale]);
    if (!formats.has(key)) {
      formats.set(key, new Intl.DateTimeFormat(locale, { ...options, timeZone }));
    }
    return formats.get(key);
  }

  /* Some browsers write "Sept"; the server writes three letters. */
  function written(moment, options, timeZone = zone) {
    return format(options, timeZone).format(moment).replace("Sept", "Sep");
  }

  /* Asked of many times at once, which mostly lie in the same hour: clocks change at quarters. */
  const zoneNames = new Map();

  function zoneName(moment) {
    const quarter = Math.floor(moment / 900_000);
    if (!zoneNames.has(quarter)) zoneNames.set(quarter, findZoneName(moment));
    return zoneNames.get(quarter);
  }

  function findZoneName(moment) {
    const names = LOCALES.map((locale) => {
      const parts = format(NAMED_ZONE, zone, locale).formatToParts(moment);
      return parts.find(({ type }) => type === "timeZoneName").value;
    });
    const name = names.find((each) => !/^(GMT|UTC)[+-]/.test(each)) ?? names[0];
    return name.replace(/^GMT(?=[+-])/, "UTC");
  }

  function clock(then, today) {
    const time = written(then, CLOCK);
    return written(then, DATE) === today ? time : `${written(then, DAY)}, ${time}`;
  }

  /* Same words as `exact` in app/console/formatting.py, as `planned` with MINUTE, and as
   * `precise` with MILLISECOND. */
  function exact(then, time = CLOCK) {
    const [date, utcDate] = [written(then, DATE), written(then, DATE, "UTC")];
    const utc = `${written(then, time, "UTC")} UTC`;
    const name = zoneName(then);
    if (name === "UTC") return `${utcDate}, ${utc}`;
    const universal = date === utcDate ? utc : `${utcDate}, ${utc}`;
    return `${date}, ${written(then, time)} ${name} · ${universal}`;
  }

  /* What an element says at all times, and what changes as time passes: a clock's with the day. */
  function tellTime(element, now, today) {
    const kind = element.dataset;
    if (kind.told === today && "clock" in kind) return;
    const then = new Date(element.dateTime);
    if (Number.isNaN(then.getTime())) return;
    if (!("told" in kind)) {
      const isShort = kind.exact === "planned" && !then.getUTCSeconds();
      if ("exact" in kind) element.textContent = exact(then, isShort ? MINUTE : CLOCK);
      else element.title = exact(then, kind.relative === "precise" ? MILLISECOND : CLOCK);
    }
    kind.told = today;
    if ("exact" in kind) return;
    const since = kind.relative === "date" ? null : relative(then, now);
    const text = "clock" in kind ? clock(then, today) : (since ?? written(then, DATE));
    if (element.textContent !== text) element.textContent = text;
  }

  const TIMES = "time[data-relative], time[data-clock], time[data-exact]:not([data-told])";

  function refreshTimes(root) {
    const now = new Date();
    const today = written(now, DATE);
    for (const element of root.querySelectorAll(TIMES)) tellTime(element, now, today);
  }

  /* Forms that ask for a day say in which zone it is meant. */
  function tellZone() {
    const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
    for (const input of document.querySelectorAll("input[data-browser-zone]")) input.value = timeZone;
    const shown = document.documentElement.dataset.timeZone || timeZone;
    for (const place of document.querySelectorAll("[data-zone-name]")) place.textContent = shown;
  }

  /* --- marks in long texts ---------------------------------------------------------------- */

  /* A text scrolls in its own box: its first mark may lie below the box's edge. */
  function showMarks() {
    for (const lines of document.querySelectorAll(".lines:not([data-shown])")) {
      lines.dataset.shown = "";
      const mark = lines.querySelector("mark, ins")?.getBoundingClientRect();
      const box = lines.getBoundingClientRect();
      if (mark && mark.bottom > box.bottom) {
        lines.scrollTop = mark.top - box.top - lines.clientHeight / 3;
      }
    }
  }

  /* --- toasts ----------------------------------------------------------------------------- */

  const TOAST_MS = 6000;
  const TOAST_MS_PER_SIGN = 60;

  function toast(category, text) {
    const template =
      document.querySelector(`template[data-toast-template="${CSS.escape(category)}"]`) ??
      document.querySelector("template[data-toast-template=message]");
    const list = document.getElementById("toasts");
    if (!template || !list) return;
    const item = template.content.firstElementChild.cloneNode(true);
    item.querySelector("p").textContent = text;
    list.append(item);
    watchToast(item);
  }

  function watchToast(item) {
    const text = item.querySelector("p").textContent;
    setTimeout(() => announce(text), 100); // What is there from the start is heard by nobody.
    if ("stays" in item.dataset) return;
    const leave = () => {
      if (item.matches(":hover, :focus-within")) setTimeout(leave, TOAST_MS / 2);
      else item.remove();
    };
    setTimeout(leave, TOAST_MS + TOAST_MS_PER_SIGN * text.length);
  }

  function watchToasts() {
    for (const item of document.querySelectorAll("#toasts > li")) watchToast(item);
  }

  /* --- answers that are none ---------------------------------------------------------------- */

  const OWN_ANSWERS = "[data-live-list], [data-listen]"; // They tell of their own state.

  /* What is shown stays: an error page would take its place, or nothing at all. */
  function keepShown(event) {
    const { ctx } = event.detail;
    const { status, headers } = ctx.response;
    if (status < 400 || status === 422 || event.target.matches?.(OWN_ANSWERS)) return;
    if (headers.get("HX-Reswap") || headers.get("HX-Redirect")) return;
    event.preventDefault();
    complain(
      status === 401
        ? "You are signed out, and this page is not kept up to date. Reload it to sign in again."
        : `It could not be loaded (${status}). Try it again.`,
    );
  }

  function complain(text) {
    const said = [...document.querySelectorAll("#toasts > li p")].map((each) => each.textContent);
    if (!said.includes(text)) toast("error", text);
  }

  document.addEventListener("htmx:before:response", keepShown);
  document.addEventListener("htmx:error", (event) => {
    if (event.target.matches?.(OWN_ANSWERS)) return;
    complain("The server can't be reached. What is shown may be out of date.");
  });

  /* A form that can't be taken in place goes once more as a page, which keeps what was typed. */
  document.addEventListener("form:plain", ({ target }) => {
    const form = target.closest("form");
    if (!form) return;
    if (target.matches("button[name]")) {
      const pressed = document.createElement("input");
      Object.assign(pressed, { type: "hidden", name: target.name, value: target.value });
      form.append(pressed);
    }
    HTMLFormElement.prototype.submit.call(form); // A field may be called "submit".
  });

  /* --- confirm ---------------------------------------------------------------------------- */

  const confirmed = new WeakSet();

  /* What is asked names what was typed or chosen in the form. */
  function fillIn(form, text) {
    return text.replace(/\{(\w+)\}/g, (all, name) => {
      if (name.endsWith("_at")) return tellChosen(form, name.slice(0, -3)) ?? all;
      const field = form.elements.namedItem(name);
      return (field?.selectedOptions?.[0]?.text ?? field?.value ?? all).trim();
    });
  }

  /* In the words of `tell_end` in app/console/key_form.py; nothing for no moment. */
  function tellChosen(form, name) {
    const wait = form.elements.namedItem(name)?.selectedOptions?.[0]?.dataset.in;
    if (wait === "0") return "now";
    const own = form.elements.namedItem(`${name}_on`)?.value;
    const moment = wait ? Date.now() + Number(wait) : fromWall(own);
    return Number.isNaN(moment) ? undefined : exact(new Date(moment), MINUTE);
  }

  const WALL = { ...DATE, month: "2-digit", day: "2-digit", ...CLOCK };

  /* The moment at which clocks in the reader's zone show this; twice, as clocks are changed. */
  function fromWall(text) {
    const wanted = Date.parse(`${text}Z`);
    const shownAt = (moment) => Date.parse(`${format(WALL, zone, "sv-SE").format(moment)}Z`);
    if (Number.isNaN(wanted)) return wanted;
    const near = wanted - (shownAt(wanted) - wanted);
    return near - (shownAt(near) - wanted);
  }

  function askFirst(event) {
    const form = event.target;
    const dialog = document.getElementById("confirm");
    const asked = form.querySelectorAll?.("input[name=asked]") ?? [];
    if (!asked.length || !dialog || confirmed.delete(form)) return;
    const words = Array.from(asked, (field) => fillIn(form, field.value));
    if (words.some((each) => /\{\w+_at\}/.test(each))) return; // The server says what is missing.
    event.preventDefault();
    event.stopImmediatePropagation();
    const submitter = event.submitter;
    const [title, text, label, variant] = words;
    const slot = (name) => dialog.querySelector(`[data-confirm-slot=${name}]`);
    slot("title").textContent = title;
    slot("text").textContent = text;
    slot("label").textContent = label;
    slot("label").dataset.variant = variant;
    dialog.returnValue = "";
    dialog.addEventListener("close", () => proceed(dialog, form, submitter), { once: true });
    dialog.showModal();
  }

  function proceed(dialog, form, submitter) {
    if (dialog.returnValue !== "yes") return;
    confirmed.add(form);
    // A form that has asked says so by leaving its question out.
    for (const field of form.querySelectorAll("input[name=asked]")) field.disabled = true;
    form.requestSubmit(submitter);
  }

  /* --- twice is once ---------------------------------------------------------------------- */

  const ONCE_MS = 10_000;
  let underWay = new WeakMap();

  window.addEventListener("pageshow", () => {
    underWay = new WeakMap(); // Who comes back to the page may send again.
  });

  /* A second press while the first is answered would make a second key, and hide the first one. */
  function sendOnce(event) {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post") return;
    if (Date.now() - (underWay.get(form) ?? 0) < ONCE_MS) event.preventDefault();
    else underWay.set(form, Date.now());
  }

  /* --- steps ------------------------------------------------------------------------------ */

  const STEP_MS = 300; // Time to read, and to stop.

  function goOn() {
    const form = document.querySelector("form[data-continue]");
    if (form) setTimeout(() => form.isConnected && form.requestSubmit(), STEP_MS);
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

  /* --- what scrolls sideways on a small screen ---------------------------------------------- */

  const SIDEWAYS = ".topnav, .segments";
  const sideways = () => document.querySelectorAll(SIDEWAYS);

  /* The edge fades behind which it goes on. */
  function markEdges(box) {
    const rest = box.scrollWidth - box.clientWidth - box.scrollLeft;
    box.classList.toggle("goes-on-before", box.scrollLeft > 1);
    box.classList.toggle("goes-on-after", rest > 1);
  }

  /* Begin where the reader is. */
  function showCurrent(box) {
    const current = box.querySelector("[aria-current]");
    if (current && box.scrollWidth > box.clientWidth) {
      const offset = current.getBoundingClientRect().left - box.getBoundingClientRect().left;
      box.scrollLeft += offset - (box.clientWidth - current.offsetWidth) / 2;
    }
    markEdges(box);
  }

  function showSideways() {
    sideways().forEach(showCurrent);
  }

  /* A phone tells of a new height each time that its own bars come or go: what was scrolled stays. */
  let width = window.innerWidth;
  function fitSideways() {
    const isOther = window.innerWidth !== width;
    width = window.innerWidth;
    sideways().forEach(isOther ? showCurrent : markEdges);
  }

  document.addEventListener("click", (event) => {
    closeMenus(event.target.closest("details[data-menu]"));
    const button = event.target.closest("button");
    if (!button) return;
    if ("copy" in button.dataset || "copyFrom" in button.dataset) copy(button);
    if (button.dataset.themeChoice) chooseTheme(button);
    if ("dismiss" in button.dataset) button.closest("[data-dismissible]")?.remove();
  });

  document.addEventListener("input", (event) => {
    if ("filter" in event.target.dataset) filter(event.target);
  });

  document.addEventListener("keydown", (event) => {
    /* Enter in a filter would send the form around it. */
    if (event.key === "Enter" && event.target.matches?.("[data-filter]")) event.preventDefault();
    if (event.key !== "Escape") return;
    event.target.closest?.(".row-link")?.setAttribute("data-hushed", "");
    const menu = event.target.closest?.("details[data-menu][open]");
    if (document.querySelector("details[data-menu][open]")) event.preventDefault();
    closeMenus(null);
    menu?.querySelector("summary")?.focus();
  });

  document.addEventListener("focusout", ({ target }) => target.removeAttribute("data-hushed"));
  document.addEventListener("submit", askFirst, true);
  document.addEventListener("submit", sendOnce);
  document.addEventListener("htmx:after:swap", () => refreshTimes(document));
  document.addEventListener("htmx:after:swap", showMarks);
  document.addEventListener("htmx:after:swap", showSideways);
  document.addEventListener("scroll", ({ target }) => {
    if (target.matches?.(SIDEWAYS)) markEdges(target);
  }, { capture: true, passive: true });
  window.addEventListener("resize", fitSideways);
  document.addEventListener("live:parsed", ({ detail }) => refreshTimes(detail));
  document.addEventListener("toast", ({ detail }) => {
    for (const { category, text } of detail.toasts ?? []) toast(category, text);
  });
  showTheme();
  goOn();
  watchToasts();
  showSideways();
  refreshTimes(document);
  showMarks();
  tellZone();
  setInterval(() => refreshTimes(document), TICK_MS);
  /* Timers of a page that nobody sees rest. */
  document.addEventListener("visibilitychange", () => document.hidden || refreshTimes(document));
})();
