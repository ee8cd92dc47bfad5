/* The live log: glue between htmx 4's hx-sse extension and the page.
 *
 * The DOM it expects:
 *
 *   <section data-live>
 *     <span class="live-pill" data-live-pill hidden></span>       state, in words and colour: of the
 *                                                                 connection or, once it stands,
 *                                                                 whether and why rows are held back
 *     <button type="button" data-live-toggle hidden></button>     pause and resume
 *     <button type="button" data-live-held hidden></button>       "12 new": shows what was held back
 *     <p class="sr-only" role="status" data-live-news></p>        what a screen reader hears
 *     <section data-live-pages hidden><a rel="next"></section>    to what has fallen off the list's end
 *     <table><tbody id="events" data-live-list data-live-max="500" data-live-more
 *       hx-sse:connect="/events/stream?after=41" hx-trigger="load, live:connect"
 *       hx-config="sse.reconnectMaxDelay:5000, sse.connectTimeout:10000">
 *         <tr id="event-…" data-cursor="41" data-pending>…</tr>   data-pending: will still change
 *
 * Messages are rows. One the page shows already is replaced where it stands, so that nothing is ever
 * doubled; another goes to its place by its cursor. hx-swap-oob="true": only replaces; "delete":
 * takes away. data-live-more: older events lie behind the end, so none is put there.
 *
 * Where more came than is told, a row says how many were left out between its neighbours:
 *
 *   <tr id="gap-2-41" data-gap="40" data-cursor="41">            data-least: at least so many
 *     <td><span data-gap-text>40 more came at the same time</span> · <a href="…">Show them</a></td></tr>
 *
 * It counts as one row of the list, and as that many new ones. Two next to each other become one.
 *
 * Messages gather until the next frame, so that however many come, the page is laid out once for all.
 * The document hears "live:parsed" of rows that are about to be shown, and "live:placed" once they are.
 *
 * Rows are held back while the reader has paused, points at a row, or has scrolled away from the top.
 * Who has paused stays so when the list makes way for another.
 *
 * The message "beat" tells after how many seconds the next one comes at the latest. A stream that is
 * silent for longer is dead, even if nobody has said so, and is begun anew.
 *
 * Each connection sends `X-Pending-From: <cursor of the oldest row with data-pending>`: the server
 * answers with the state those rows have by now, since changes carry no id and are not replayed.
 */
(() => {
  "use strict";

  const LABELS = {
    connecting: "Connecting",
    live: "Live",
    reconnecting: "Reconnecting",
    paused: "Paused",
    pointed: "Holding: mouse on the list",
    scrolled: "Holding: scrolled down",
    ended: "Stopped",
  };
  const ENDS = { 401: "Signed out: sign in again", 403: "No access any more", 404: "Stopped" };
  const FINAL_STATUSES = new Set([400, 401, 403, 404, 410]);
  const FIRST_RETRY_MS = 500;
  const LONGEST_RETRY_MS = 5000;
  const NEWS_EVERY_MS = 5000;
  const LEAVE_MS = 250;
  const WATCH_MS = 1000;
  const MISSED_BEATS = 2.5;
  const MOST_LIT = 20; // More at once are no news that light up, but a flood.

  const lives = new WeakMap();
  let paused = false;
  const cursorOf = (row) => Number(row.dataset.cursor);
  const isGap = (row) => "gap" in row.dataset;
  const countOf = (row) => (isGap(row) ? Number(row.dataset.gap) : 1);
  const countAll = (rows) => rows.reduce((sum, row) => sum + countOf(row), 0);
  const written = (count) => count.toLocaleString("en");

  /* As templates/console/_event_gap.html says it. */
  function wordsOf(gap) {
    const count = countOf(gap);
    if (!count) return "More may have come at the same time";
    return `${"least" in gap.dataset ? "At least " : ""}${written(count)} more came at the same time`;
  }

  /* The upper one leads to both: from its newest event on downwards. */
  function join(upper, lower) {
    const hadFocus = lower.contains(document.activeElement);
    upper.dataset.gap = countOf(upper) + countOf(lower);
    if ("least" in lower.dataset) upper.dataset.least = "";
    upper.querySelector("[data-gap-text]").textContent = wordsOf(upper);
    lower.remove();
    if (hadFocus) upper.querySelector("a").focus({ preventScroll: true });
  }

  class LiveList {
    constructor(list) {
      const panel = list.closest("[data-live]");
      this.list = list;
      this.pill = panel?.querySelector("[data-live-pill]");
      this.toggleButton = panel?.querySelector("[data-live-toggle]");
      this.heldButton = panel?.querySelector("[data-live-held]");
      this.news = panel?.querySelector("[data-live-news]");
      this.pages = panel?.querySelector("[data-live-pages]");
      this.most = Number(list.dataset.liveMax) || 500;
      this.held = new Map();
      this.waiting = [];
      this.frame = null;
      this.silentMs = Infinity;
      this.request = null;
      this.lastId = "";
      this.failures = 0;
      this.arrived = 0;
      this.leftOut = 0;
      this.pointed = false;
      this.state = "connecting";
      this.show("connecting");
      this.watchPointer();
      this.watchHeart();
    }

    /* --- what the reader sees of the connection --------------------------------------------- */

    show(state, label = LABELS[state]) {
      this.state = state;
      this.write(state, label);
      this.tellHolding();
    }

    write(state, label) {
      if (!this.pill) return;
      this.pill.hidden = false;
      if (this.pill.dataset.state === state && this.pill.textContent === label) return;
      this.pill.dataset.state = state;
      this.pill.textContent = label;
    }

    /* Why rows are held back, without a look at the layout: what scrolling holds back is known. */
    get stance() {
      if (paused) return "paused";
      if (this.pointed) return "pointed";
      return this.held.size ? "scrolled" : "live";
    }

    /* Once the connection stands, what matters is whether rows come. */
    tellHolding() {
      if (this.state === "live") this.write(this.stance, LABELS[this.stance]);
      if (this.toggleButton) {
        this.toggleButton.hidden = this.ended;
        this.toggleButton.textContent = paused ? "Resume" : "Pause";
      }
      if (this.heldButton) {
        this.heldButton.hidden = this.held.size === 0;
        const count = countAll([...this.held.values()]);
        this.heldButton.textContent = `${count ? written(count) : "Some"} new`;
      }
    }

    get ended() {
      return this.state === "ended";
    }

    refuse(status) {
      if (!FINAL_STATUSES.has(status)) return false;
      this.show("ended", ENDS[status] ?? LABELS.ended);
      if (status === 401 && this.pill) this.offerSignIn();
      return true;
    }

    /* The address comes back to this very page. */
    offerSignIn() {
      const link = document.createElement("a");
      link.href = `${document.body.dataset.root}sign-in?next=${encodeURIComponent(location.pathname + location.search)}`;
      link.textContent = ENDS[401];
      this.pill.replaceChildren(link);
    }

    /* --- the connection ---------------------------------------------------------------------- */

    /* Headers survive a reconnect inside the extension, so they are set anew before each one. */
    prepare(request = this.request) {
      if (!request) return;
      this.flush();
      this.request = request;
      if (!this.lastId) this.dropGaps();
      const waiting = [...this.list.querySelectorAll("[data-pending]"), ...this.held.values()];
      const cursors = waiting.filter((row) => "pending" in row.dataset).map(cursorOf);
      delete request.headers["X-Pending-From"];
      if (cursors.length) request.headers["X-Pending-From"] = String(Math.min(...cursors));
      if (this.lastId) request.headers["Last-Event-ID"] = this.lastId;
    }

    /* Without a cursor all is told again from where the page began: what was left out as well. */
    dropGaps() {
      for (const [id, row] of this.held) if (isGap(row)) this.held.delete(id);
      for (const gap of this.list.querySelectorAll("[data-gap]")) gap.remove();
    }

    connected() {
      this.failures = 0;
      this.heardAt = Date.now();
      this.show("live");
    }

    hear({ event, data, id }) {
      this.heardAt = Date.now();
      this.lastId = id || this.lastId;
      if (event === "beat") this.silentMs = Number(data) * 1000 * MISSED_BEATS;
      else this.gather(data);
    }

    watchHeart() {
      const watch = setInterval(() => {
        if (!this.list.isConnected) clearInterval(watch);
        else if (this.state === "live" && Date.now() - this.heardAt > this.silentMs) this.drop();
      }, WATCH_MS);
    }

    /* What is left of the stream is thrown away; the extension begins it anew. */
    drop() {
      if (this.ended) return;
      this.show("reconnecting");
      this.connection?.reader?.cancel();
    }

    /* The extension retries a stream that broke, but not one that never began. */
    retryFirst() {
      const wait = Math.min(FIRST_RETRY_MS * 2 ** this.failures++, LONGEST_RETRY_MS);
      this.show("reconnecting");
      setTimeout(() => this.connect(), wait);
    }

    connect() {
      if (this.list.isConnected && !this.ended) htmx.trigger(this.list, "live:connect");
    }

    /* --- rows -------------------------------------------------------------------------------- */

    gather(html) {
      this.waiting.push(html);
      this.frame ??= requestAnimationFrame(() => this.flush());
    }

    flush() {
      cancelAnimationFrame(this.frame);
      this.frame = null;
      const html = this.waiting.splice(0).join("");
      if (html) this.receive(html);
    }

    receive(html) {
      const isHolding = this.isHolding; // Reads the layout, so it goes before all that changes it.
      const template = document.createElement("template");
      template.innerHTML = html;
      tell("live:parsed", template.content);
      const fresh = new Map();
      for (const row of [...template.content.children]) this.sort(row, fresh);
      this.welcome([...fresh.values()], isHolding);
      this.settle();
    }

    sort(row, fresh) {
      const oob = row.getAttribute("hx-swap-oob");
      row.removeAttribute("hx-swap-oob");
      const known = document.getElementById(row.id);
      if (oob === "delete") {
        fresh.delete(row.id);
        this.held.delete(row.id);
        known?.remove();
      } else if (fresh.has(row.id)) fresh.set(row.id, row);
      else if (this.held.has(row.id)) this.held.set(row.id, row);
      else if (known) this.replace(known, row);
      else if (!oob) fresh.set(row.id, row);
    }

    replace(known, row) {
      const hadFocus = known.contains(document.activeElement);
      known.replaceWith(row);
      if (hadFocus) row.querySelector(".row-link")?.focus({ preventScroll: true });
    }

    welcome(rows, isHolding) {
      if (!rows.length) return;
      this.arrived += countAll(rows);
      this.leftOut += countAll(rows.filter(isGap));
      this.newsTimer ??= setTimeout(() => this.announce(), NEWS_EVERY_MS);
      if (isHolding) this.hold(rows);
      else this.place(rows);
    }

    hold(rows) {
      for (const row of rows) this.held.set(row.id, row);
      const tooMany = Math.max(0, this.held.size - this.most);
      for (const id of [...this.held.keys()].slice(0, tooMany)) this.held.delete(id);
    }

    /* Nearly always on top; a row whose state came late goes among those of its time. */
    place(rows) {
      rows.sort((one, other) => cursorOf(other) - cursorOf(one));
      let next = this.list.firstElementChild;
      const isFirst = !next;
      for (const row of rows.slice(0, this.most)) {
        while (next && cursorOf(next) > cursorOf(row)) next = next.nextElementSibling;
        if (!next && !isFirst && "liveMore" in this.list.dataset) break;
        row.classList.toggle("is-new", rows.length <= MOST_LIT && !isGap(row));
        this.list.insertBefore(row, next);
      }
      if (rows.length > this.most) this.showOlder();
    }

    settle() {
      for (const gap of this.list.querySelectorAll("[data-gap] + [data-gap]")) {
        join(gap.previousElementSibling, gap);
      }
      this.trim();
      tell("live:placed");
      this.tellHolding();
    }

    trim() {
      const excess = this.list.children.length - this.most;
      for (let each = 0; each < excess; each += 1) this.list.lastElementChild.remove();
      if (excess > 0) this.showOlder();
    }

    /* The way to what has fallen off the end. */
    showOlder() {
      this.list.dataset.liveMore = "";
      while (this.list.childElementCount > 1 && isGap(this.list.lastElementChild)) {
        this.list.lastElementChild.remove();
      }
      const link = this.pages?.querySelector("[rel=next]");
      if (!link) return;
      const address = new URL(link.href);
      address.searchParams.set("before", cursorOf(this.list.lastElementChild));
      link.href = address.href;
      this.pages.hidden = false;
    }

    announce() {
      const { arrived: count, leftOut } = this;
      this.newsTimer = null;
      this.arrived = this.leftOut = 0;
      const few = `${written(count)} new ${count === 1 ? "event" : "events"}`;
      const what = leftOut ? `${few}, ${written(leftOut)} of them left out of the list` : few;
      if (this.news) this.news.textContent = this.held.size ? `${what}, held back` : what;
    }

    /* --- holding back ------------------------------------------------------------------------ */

    get isHolding() {
      return paused || this.pointed || this.isScrolled;
    }

    get isScrolled() {
      const box = this.list.closest("table") ?? this.list;
      return this.list.children.length > 0 && box.getBoundingClientRect().top < 0;
    }

    watchPointer() {
      this.list.addEventListener("pointerover", (event) => {
        clearTimeout(this.leaving);
        this.point(event.pointerType === "mouse");
      });
      this.list.addEventListener("pointerleave", () => {
        clearTimeout(this.leaving);
        this.leaving = setTimeout(() => {
          this.point(false);
          this.release();
        }, LEAVE_MS);
      });
    }

    point(isOver) {
      if (this.pointed === isOver) return;
      this.pointed = isOver;
      this.tellHolding();
    }

    release(force = false) {
      if (!this.held.size || (this.isHolding && !force)) return;
      const rows = [...this.held.values()];
      this.held.clear();
      const fragment = document.createDocumentFragment();
      fragment.append(...rows);
      tell("live:parsed", fragment); // What was held back has grown older meanwhile.
      this.place(rows);
      this.settle();
    }

    toggle() {
      paused = !paused;
      if (this.news) this.news.textContent = paused ? "Paused" : "Resumed";
      this.release();
      this.tellHolding();
    }

    showHeld() {
      paused = false;
      this.release(true);
      this.tellHolding();
      this.list.closest("[data-live]").scrollIntoView({ block: "start" });
      this.list.querySelector(".row-link")?.focus({ preventScroll: true });
    }
  }

  function tell(name, detail) {
    document.dispatchEvent(new CustomEvent(name, { detail }));
  }

  function liveOf(list) {
    if (!list?.matches?.("[data-live-list]")) return null;
    if (!lives.has(list)) lives.set(list, new LiveList(list));
    return lives.get(list);
  }

  function currentLive() {
    return liveOf(document.querySelector("[data-live-list]"));
  }

  function on(name, handle) {
    document.addEventListener(name, (event) => {
      const live = liveOf(event.target);
      if (live) handle(live, event);
    });
  }

  on("htmx:config:request", (live, event) => live.prepare(event.detail.ctx.request));

  on("htmx:before:response", (live, event) => {
    const response = event.detail.ctx.response;
    if (response.headers.get("Content-Type")?.includes("text/event-stream")) return;
    event.preventDefault();
    if (!live.refuse(response.status)) live.retryFirst();
  });

  on("htmx:error", (live) => live.retryFirst());

  on("htmx:sse:before:connection", (live, event) => {
    live.connection = event.detail.connection;
    if (live.ended) event.preventDefault();
    else if (live.connection.attempt > 0) {
      live.prepare();
      live.show("reconnecting");
    }
  });

  on("htmx:sse:after:connection", (live) => live.connected());

  on("htmx:sse:error", (live, event) => {
    if (!live.refuse(event.detail.status)) live.show("reconnecting");
  });

  on("htmx:sse:before:message", (live, event) => {
    event.preventDefault(); // The rows are placed here, and not by htmx.
    live.hear(event.detail.message);
  });

  on("htmx:sse:close", (live) => {
    live.connection = null;
    if (!live.ended) live.show("ended");
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-live-toggle]")) currentLive()?.toggle();
    if (event.target.closest("[data-live-held]")) currentLive()?.showHeld();
  });
  document.addEventListener("live:toggle", () => currentLive()?.toggle());
  document.addEventListener("scroll", () => currentLive()?.release(), { passive: true });
  window.addEventListener("offline", () => currentLive()?.drop());
  window.addEventListener("online", () => currentLive()?.connection?.delayCanceller?.());
})();
