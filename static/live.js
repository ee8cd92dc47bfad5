/* The live log: glue between htmx 4's hx-sse extension and the page.
 *
 * The DOM it expects:
 *
 *   <section data-live>
 *     <span class="live-pill" data-live-pill hidden></span>       state, in words and colour
 *     <button type="button" data-live-toggle hidden></button>     pause and resume
 *     <p class="sr-only" role="status" data-live-news></p>        what a screen reader hears
 *     <table><tbody id="events" data-live-list data-live-max="500"
 *       hx-sse:connect="/events/stream?after=41" hx-trigger="load, live:connect"
 *       hx-swap="afterbegin" hx-config="sse.reconnectMaxDelay:5000">
 *         <tr id="event-…" data-cursor="41" data-pending>…</tr>   data-pending: will still change
 *
 * Messages: rows with an `id:` line are put on top; a row with hx-swap-oob="true" replaces the one
 * with the same id, and is dropped when the page does not show it. A row on top whose id the page
 * already shows replaces it too, so that nothing is ever doubled.
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
    ended: "Stopped",
  };
  const FINAL_STATUSES = new Set([401, 403, 404, 410]);
  const FIRST_RETRY_MS = 500;
  const LONGEST_RETRY_MS = 5000;
  const NEWS_EVERY_MS = 5000;

  const lives = new WeakMap();

  class LiveList {
    constructor(list) {
      const panel = list.closest("[data-live]");
      this.list = list;
      this.pill = panel?.querySelector("[data-live-pill]");
      this.toggleButton = panel?.querySelector("[data-live-toggle]");
      this.news = panel?.querySelector("[data-live-news]");
      this.request = null;
      this.lastId = "";
      this.failures = 0;
      this.arrived = 0;
      this.paused = false;
      this.ended = false;
      this.show("connecting");
    }

    show(state, label = LABELS[state]) {
      if (this.pill) {
        this.pill.hidden = false;
        this.pill.dataset.state = state;
        this.pill.textContent = label;
      }
      if (this.toggleButton) {
        this.toggleButton.hidden = state === "ended";
        this.toggleButton.textContent = this.paused ? "Resume" : "Pause";
      }
    }

    /* Headers survive a reconnect inside the extension, so they are set anew before each one. */
    prepare(request = this.request) {
      if (!request) return;
      this.request = request;
      const cursors = [...this.list.querySelectorAll("[data-pending]")].map((row) =>
        Number(row.dataset.cursor),
      );
      delete request.headers["X-Pending-From"];
      if (cursors.length) request.headers["X-Pending-From"] = String(Math.min(...cursors));
      if (this.lastId) request.headers["Last-Event-ID"] = this.lastId;
    }

    connected() {
      this.failures = 0;
      this.show("live");
    }

    /* The extension retries a stream that broke, but not one that never began. */
    retryFirst() {
      const wait = Math.min(FIRST_RETRY_MS * 2 ** this.failures++, LONGEST_RETRY_MS);
      this.show("reconnecting");
      setTimeout(() => this.connect(), wait);
    }

    connect() {
      if (this.list.isConnected && !this.paused && !this.ended) {
        htmx.trigger(this.list, "live:connect");
      }
    }

    refuse(status) {
      if (!FINAL_STATUSES.has(status)) return false;
      this.ended = true;
      this.show("ended", status === 401 ? "Signed out" : LABELS.ended);
      return true;
    }

    toggle() {
      this.paused = !this.paused;
      if (this.paused) {
        this.show("paused");
        this.connection?.reader?.cancel();
      } else {
        this.show("connecting");
        this.connect();
      }
    }

    /* Rows the page shows already are swapped where they stand. */
    placeKnownRows(tasks) {
      const main = tasks.find((task) => task.type === "main");
      if (!main) return;
      for (const row of [...main.fragment.children]) {
        const known = row.id && document.getElementById(row.id);
        if (known) tasks.push(replacement(row, known, main.sourceElement));
        else this.welcome(row);
      }
    }

    welcome(row) {
      row.classList.add("is-new");
      this.arrived += 1;
      this.newsTimer ??= setTimeout(() => this.announce(), NEWS_EVERY_MS);
    }

    announce() {
      const count = this.arrived;
      this.newsTimer = null;
      this.arrived = 0;
      if (this.news) this.news.textContent = `${count} new ${count === 1 ? "event" : "events"}`;
    }

    trim() {
      const most = Number(this.list.dataset.liveMax) || 500;
      while (this.list.children.length > most) this.list.lastElementChild.remove();
    }
  }

  function replacement(row, target, sourceElement) {
    const fragment = document.createDocumentFragment();
    fragment.append(row);
    return { type: "oob", fragment, target, swapSpec: { style: "outerHTML" }, sourceElement };
  }

  function liveOf(list) {
    if (!list?.matches?.("[data-live-list]")) return null;
    if (!lives.has(list)) lives.set(list, new LiveList(list));
    return lives.get(list);
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
    if (live.paused || live.ended) event.preventDefault();
    else if (live.connection.attempt > 0) {
      live.prepare();
      live.show("reconnecting");
    }
  });

  on("htmx:sse:after:connection", (live) => live.connected());

  on("htmx:sse:error", (live, event) => {
    if (!live.refuse(event.detail.status) && !live.paused) live.show("reconnecting");
  });

  on("htmx:sse:before:message", (live, event) => {
    live.lastId = event.detail.message.id || live.lastId;
  });

  on("htmx:before:swap", (live, event) => live.placeKnownRows(event.detail.tasks));
  on("htmx:after:swap", (live) => live.trim());

  on("htmx:sse:close", (live) => {
    live.connection = null;
    if (!live.paused && !live.ended) live.show("ended");
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-live-toggle]");
    liveOf(button?.closest("[data-live]")?.querySelector("[data-live-list]"))?.toggle();
  });

  window.addEventListener("online", () => {
    for (const list of document.querySelectorAll("[data-live-list]")) {
      lives.get(list)?.connection?.delayCanceller?.();
    }
  });
})();
