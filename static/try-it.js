/* "Try it" in the API reference: really sends the request, from the reader's own browser.
 *
 * The DOM it expects:
 *
 *   <form data-try data-method="POST" data-path="/api/v1/runs/{id}">
 *     <textarea data-try-body>             the body of a POST
 *     <input data-try-path="id">           goes into the path
 *     <input data-try-query="limit">       goes into the query, unless it is empty
 *     <input data-try-key>                 goes into X-API-Key; it is kept nowhere
 *     <p class="error" data-try-key-error hidden>  why a key can't be sent
 *     <button data-try-send>
 *   </form>
 *   <div data-try-answer></div>            beside the form: status, headers and body, as text
 */
(() => {
  "use strict";

  const TIMEOUT_MS = 30_000;

  /* --- keys that no header can carry, or that are none ---------------------------------------- */

  const STAND_INS = /^fp_(your_key|…|\.\.\.)?$/;

  /* A field of one line drops line breaks as it takes what is pasted: they are seen only here. */
  const BROKEN_LINES =
    "What you pasted has a line break in it, and was not put in. Copy the key alone, in one line.";

  const RULES = [
    [
      (key) => STAND_INS.test(key),
      (key) =>
        `${key} only stands for a key. Put one of your own in its place; under API keys you can make one.`,
    ],
    [
      (key) => /[^\x20-\x7e]/.test(key),
      (key) => {
        const sign = [...key].find((each) => /[^\x20-\x7e]/.test(each));
        const number = sign.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
        const shown = /[\p{L}\p{P}\p{S}]/u.test(sign) ? `“${sign}” (U+${number})` : `U+${number}, which can't be seen`;
        return `The key holds the sign ${shown}: no key has it, and no header can carry it. Copy the whole key again, from fp_ to its last character.`;
      },
    ],
  ];

  function complain(input, text) {
    const error = input.closest(".field").querySelector("[data-try-key-error]");
    error.textContent = text;
    error.hidden = !text;
    if (text) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }

  /* Whether the key can be sent; where not, the field says why. None at all can be: it is refused. */
  function isSendable(input) {
    const key = input.value.trim();
    const rule = key && RULES.find(([applies]) => applies(key));
    if (rule) complain(input, rule[1](key));
    const isGood = !rule && !input.hasAttribute("aria-invalid");
    if (!isGood) input.focus();
    return isGood;
  }

  document.addEventListener("paste", (event) => {
    if (!event.target.matches?.("[data-try-key]")) return;
    const text = event.clipboardData?.getData("text").trim() ?? "";
    if (!/[\r\n\u2028\u2029]/.test(text)) return;
    event.preventDefault();
    complain(event.target, BROKEN_LINES);
  });

  document.addEventListener("input", (event) => {
    if (event.target.matches?.("[data-try-key]")) complain(event.target, "");
  });

  /* --- the request ---------------------------------------------------------------------------- */

  function addressOf(form) {
    let path = document.body.dataset.root + form.dataset.path.slice(1);
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
    if (!form.reportValidity() || !isSendable(form.querySelector("[data-try-key]"))) return;
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
