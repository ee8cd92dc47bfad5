/* "Try it" in the API reference: really sends the request, from the reader's own browser.
 *
 * The DOM it expects:
 *
 *   <form data-try data-method="POST" data-path="/api/v1/runs/{id}">
 *     <textarea data-try-body>             the body of a POST
 *     <input data-try-path="id">           goes into the path
 *     <input data-try-query="limit">       goes into the query, unless it is empty
 *     <input data-try-key>                 goes into X-API-Key; it is kept nowhere
 *     <button data-try-send>
 *   </form>
 *   <div data-try-answer></div>            beside the form: status, headers and body, as text
 */
(() => {
  "use strict";

  const TIMEOUT_MS = 30_000;

  function addressOf(form) {
    let path = form.dataset.path;
    for (const input of form.querySelectorAll("[data-try-path]")) {
      path = path.replace(`{${input.dataset.tryPath}}`, encodeURIComponent(input.value.trim()));
    }
    const query = new URLSearchParams();
    for (const input of form.querySelectorAll("[data-try-query]")) {
      if (input.value.trim()) query.append(input.dataset.tryQuery, input.value.trim());
    }
    return query.size ? `${path}?${query}` : path;
  }

  function requestOf(form) {
    const headers = {};
    const key = form.querySelector("[data-try-key]").value.trim();
    if (key) headers["X-API-Key"] = key;
    const body = form.querySelector("[data-try-body]")?.value;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    return {
      method: form.dataset.method,
      headers,
      body,
      credentials: "omit",
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    };
  }

  function element(name, text, className = "") {
    const made = document.createElement(name);
    made.textContent = text;
    made.className = className;
    return made;
  }

  function block(title, text) {
    const figure = element("figure", "", "code");
    const pre = document.createElement("pre");
    pre.tabIndex = 0;
    pre.setAttribute("role", "region");
    pre.setAttribute("aria-label", title);
    pre.append(element("code", text));
    figure.append(element("figcaption", title), pre);
    return figure;
  }

  function pretty(text) {
    try {
      return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      return text;
    }
  }

  async function show(answer, response, took) {
    const status = element("p", "", "flush row");
    const badge = element("span", `${response.status} ${response.statusText}`, "state");
    badge.dataset.tone = response.ok ? "green" : "amber";
    status.append(badge, element("span", `${took} ms`, "muted num"));
    const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    const text = await response.text();
    answer.replaceChildren(status, block("Body", pretty(text)), block("Headers", headers));
  }

  async function send(form) {
    if (!form.reportValidity()) return;
    const answer = form.parentElement.querySelector("[data-try-answer]");
    const button = form.querySelector("[data-try-send]");
    const started = performance.now();
    button.disabled = true;
    answer.replaceChildren(element("p", "Sending…", "flush muted"));
    try {
      const response = await fetch(addressOf(form), requestOf(form));
      await show(answer, response, Math.round(performance.now() - started));
    } catch (error) {
      answer.replaceChildren(element("p", `No answer came: ${error.message}`, "flush error"));
    } finally {
      button.disabled = false;
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-try-send]");
    if (button?.type === "button") send(button.closest("form"));
  });

  document.addEventListener("submit", (event) => {
    if (event.target.matches("[data-try]:not([action])")) {
      event.preventDefault();
      send(event.target);
    }
  });
})();
