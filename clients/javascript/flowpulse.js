/** Report runs to FlowPulse: `await client.run("slug", job)`, and single calls for each kind of event. */

export const VERSION = "0.1.0";

const RETRIED = new Set([408, 429, 500, 502, 503, 504]);
const TAKEN = new Set([202, 207]);
const MAX_MESSAGE = 50_000;
const MAX_SUMMARY = 1_000;
const MAX_LISTED = 20;
const MAX_CAUSES = 3;
const environment = globalThis.process?.env ?? {};
const now = () => new Date().toISOString();
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** An event was not taken, or nobody can tell. */
export class FlowPulseError extends Error {
  name = "FlowPulseError";
}

/** No answer that counts came within the tries and the time. */
export class UnreachableError extends FlowPulseError {
  name = "UnreachableError";
}

/**
 * The server refused: `status`, `code`, `errors` and `inspect` are those of its problem. `events`: of
 * a batch of which none was taken, each event's own problem.
 */
export class RefusedError extends FlowPulseError {
  name = "RefusedError";

  constructor(status, problem) {
    const { code = "unknown", errors = [], events = [], inspect } = problem;
    const lines = [`${status} ${code}: ${problem.detail ?? problem.title ?? ""}`];
    for (const e of errors) lines.push(`  ${e.field}: ${e.message} ${e.fix ?? ""}`);
    events.slice(0, MAX_LISTED).forEach((e, place) => {
      lines.push(`  events[${place}]: ${e.status} ${e.code}: ${e.detail ?? e.title ?? ""}`);
    });
    if (events.length > MAX_LISTED) lines.push(`  … and ${events.length - MAX_LISTED} more`);
    if (inspect) lines.push(`  see ${inspect}`);
    super(lines.join("\n"));
    Object.assign(this, { status, problem, code, errors, events, inspect });
  }
}

/**
 * Sends to one server with one key; times are in milliseconds: `timeoutMs` is for one try with its
 * whole answer, `totalTimeoutMs` for all tries and waits together.
 */
export class Client {
  #key;

  constructor(options = {}) {
    const told = (options.url ?? environment.FLOWPULSE_URL ?? "").trim();
    this.url = told.replace(/\/+$/, "").replace(/\/api\/v1$/, "");
    this.#key = (options.apiKey ?? environment.FLOWPULSE_API_KEY ?? "").trim();
    this.timeoutMs = options.timeoutMs ?? 5_000;
    this.totalTimeoutMs = options.totalTimeoutMs ?? 20_000;
    this.retries = options.retries ?? 3;
    this.strict = options.strict ?? false;
    this.warn = options.warn ?? ((text) => console.warn(text));
  }

  /** A run that went well, ended now unless `ended_at` says when. Throws FlowPulseError. */
  success(slug, fields = {}) {
    return this.#event("run-success", slug, { ended_at: now(), ...fields });
  }

  /** A run that failed; else as `success`. */
  failure(slug, errorMessage, fields = {}) {
    const known = { ended_at: now(), error_message: errorMessage, ...fields };
    return this.#event("run-failure", slug, known);
  }

  /** A run that has begun; else as `success`. */
  start(slug, fields = {}) {
    return this.#event("run-start", slug, { started_at: now(), ...fields });
  }

  /** Up to 500 events with `kind` each; look at `refused` in the answer. */
  batch(events) {
    const keyed = events.map((e) => ({ ...e, idempotency_key: e.idempotency_key ?? newId() }));
    return this.#post("batch", { events: keyed });
  }

  /**
   * Run `job(fields)` and report it; what it throws goes on as it was. An `idempotency_key` is that
   * of the end; the start's is made of it.
   */
  async run(slug, job, { sendStart = true, ...given } = {}) {
    const fields = { external_execution_id: newId(), ...given, started_at: now() };
    const began = performance.now();
    const end = () =>
      Object.assign(fields, { ended_at: now(), duration_ms: performance.now() - began });
    if (sendStart) await this.#quietly(() => this.start(slug, ofStart(fields)));
    let result;
    try {
      result = await job(fields);
    } catch (error) {
      end();
      await this.#quietly(() =>
        this.failure(slug, told(error), { error_type: error?.name ?? typeof error, ...fields }),
      );
      throw error;
    }
    end();
    const trouble = await this.#quietly(() => this.success(slug, fields));
    if (trouble && this.strict) throw trouble;
    return result;
  }

  async #quietly(send) {
    try {
      await send();
    } catch (error) {
      this.warn(`FlowPulse was not told: ${error?.message}`);
      return error;
    }
  }

  async #event(kind, slug, { idempotency_key, ...fields }) {
    const key = String(idempotency_key ?? newId());
    return this.#post(kind, { workflow_slug: slug, ...fields }, key);
  }

  async #post(kind, content, key) {
    if (!/^https?:\/\//i.test(this.url) || !/^[\x21-\x7e]+$/.test(this.#key)) {
      throw new FlowPulseError("FLOWPULSE_URL and FLOWPULSE_API_KEY (or url, apiKey) are needed");
    }
    if (key && !/^[\x20-\x7e]+$/.test(key)) {
      throw new FlowPulseError("idempotency_key holds characters that no header has");
    }
    const headers = { "X-API-Key": this.#key, "Content-Type": "application/json" };
    headers["User-Agent"] = `flowpulse-javascript/${VERSION}`; // Browsers send their own.
    if (key) headers["Idempotency-Key"] = key;
    const body = write(content);
    const giveUpAt = performance.now() + this.totalTimeoutMs;
    let trouble = new UnreachableError("FlowPulse can't be reached: no time was given");
    for (let tries = 0; tries <= this.retries; tries += 1) {
      const limit = Math.min(this.timeoutMs, giveUpAt - performance.now());
      if (limit <= 0) break;
      let wait = 500 * 2 ** tries * (0.8 + 0.4 * Math.random());
      const stop = new AbortController();
      const timer = setTimeout(() => stop.abort(), limit);
      try {
        // A redirect would carry the key to another host.
        const options = { method: "POST", headers, body, redirect: "manual", signal: stop.signal };
        const answer = await fetch(`${this.url}/api/v1/ingest/${kind}`, options);
        const said = read(await answer.text());
        if (TAKEN.has(answer.status) && (key ? said.event_id : said.events)) return said;
        trouble = refuse(this.url, answer, said);
        if (!RETRIED.has(answer.status)) throw trouble;
        wait = milliseconds(answer.headers.get("Retry-After")) ?? wait;
      } catch (error) {
        if (error instanceof RefusedError) throw error;
        const why = stop.signal.aborted ? "it took too long" : (error?.cause?.code ?? error?.message);
        trouble = new UnreachableError(`FlowPulse can't be reached: ${why}`);
      } finally {
        clearTimeout(timer);
      }
      if (tries === this.retries || performance.now() + wait >= giveUpAt) break;
      await sleep(wait);
    }
    throw trouble;
  }
}

/** What is thrown for an answer that takes nothing in; FlowPulse itself says why. */
function refuse(url, { status, headers }, problem) {
  if (problem.code) return new RefusedError(status, problem);
  const location = headers.get("Location");
  if (location && status >= 300 && status < 400) {
    const there = location.split("/api/v1/")[0].slice(0, 200);
    const detail = `${url} leads on to ${there}, and redirects are not followed.`;
    return new RefusedError(status, { code: "redirected", detail: `${detail} Set url to that.` });
  }
  if (RETRIED.has(status)) {
    const detail = "Something before FlowPulse answered in its place, or it said no more.";
    return new RefusedError(status, { detail });
  }
  const detail = `This is not how FlowPulse answers. Is ${url} its address?`;
  return new RefusedError(status, { code: "not_flowpulse", detail });
}

function ofStart(fields) {
  const key = fields.idempotency_key;
  return key ? { ...fields, idempotency_key: `${key}-start` } : fields;
}

/** Retry-After: seconds, or a date (RFC 9110, 10.2.3); undefined for what is neither. */
function milliseconds(header) {
  const text = (header ?? "").trim();
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const at = /^[A-Z][a-z]+,? /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}

function newId() {
  // crypto.randomUUID is not there in Node 18's modules, nor on pages without https.
  const part = () => Math.random().toString(36).slice(2).padEnd(11, "0");
  return globalThis.crypto?.randomUUID?.() ?? `${Date.now().toString(36)}-${part()}${part()}`;
}

/** What was thrown, where, and what caused it: a failed fetch says why in its cause alone. */
function told(error) {
  try {
    const message = String(error?.message ?? error);
    const parts = [message.slice(0, MAX_SUMMARY) || "Error", frames(error, message)];
    let cause = error?.cause;
    for (let count = 0; cause != null && count < MAX_CAUSES; count += 1, cause = cause.cause) {
      const why = String(cause.message || cause.code || cause);
      parts.push(`Caused by: ${why.slice(0, MAX_SUMMARY)}\n${frames(cause, why)}`);
    }
    return parts.join("\n\n").slice(0, MAX_MESSAGE).trim();
  } catch {
    return "An error that can't be told";
  }
}

/** The stack's frames, however long the message before them is. */
function frames(error, message) {
  const stack = String(error?.stack ?? "");
  const at = message ? stack.indexOf(message) : -1;
  return (at < 0 ? stack : stack.slice(at + message.length)).slice(0, MAX_MESSAGE).trim();
}

function write(content) {
  try {
    return JSON.stringify(content);
  } catch (error) {
    throw new FlowPulseError(`This is no JSON: ${error?.message}`);
  }
}

function read(text) {
  try {
    const said = JSON.parse(text);
    return said && typeof said === "object" ? said : {};
  } catch {
    return {};
  }
}
