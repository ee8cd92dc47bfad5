// Run by test_javascript_client.py, which tells where the real server is.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { createServer as createSocketServer } from "node:net";
import { test } from "node:test";
import { inspect } from "node:util";
import { Client, RefusedError, UnreachableError, VERSION } from "../../clients/javascript/flowpulse.js";

const slug = process.env.SLUG;
const agents = [];
const paths = [];
const HOSTILE = `naïve 漢字 \0 \udc80 <script>"'\\\r\n${"x".repeat(200_000)}`;

const TAKEN = '{"event_id": "e", "status": "accepted"}';

async function scripted(statuses, use, { retryAfter = "0", answer = TAKEN, end = "" } = {}) {
  const seen = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    seen.push(request.headers["idempotency-key"] + body);
    agents.push(request.headers["user-agent"]);
    paths.push(request.url);
    response.writeHead(statuses.shift(), { "Retry-After": retryAfter, Location: "http://127.0.0.1:9/" });
    response.end(answer);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  try {
    const url = `http://127.0.0.1:${server.address().port}${end}`;
    await use(new Client({ url, apiKey: "fp_s", retries: statuses.length - 1 || 3 }));
  } finally {
    server.closeAllConnections();
    server.close();
  }
  return seen;
}

test("jobs become runs, and what they throw goes on", async () => {
  const client = new Client();
  assert.equal(await client.run(slug, () => 7, { metadata: { rows: 3 } }), 7);
  const own = new TypeError(HOSTILE);
  await assert.rejects(client.run(slug, () => Promise.reject(own)), (error) => error === own);
});

test("twins, batches and refusals", async () => {
  const client = new Client();
  const told = { idempotency_key: "k", ended_at: "2026-01-15T09:31:00Z" };
  const first = await client.success(slug, told);
  assert.equal((await client.success(slug, told)).event_id, first.event_id);
  const event = { kind: "run-success", workflow_slug: slug, ended_at: told.ended_at };
  assert.equal((await client.batch([event, { ...event, ended_at: "" }])).refused, 1);
  await assert.rejects(client.success(slug, { ended_at: "soon" }), (error) => {
    assert.ok(error instanceof RefusedError);
    assert.match(error.message, /validation_failed[^]*ended_at/);
    return true;
  });
});

for (const status of [408, 429, 500, 502, 503, 504]) {
  test(`${status} is asked again with the same key and body`, async () => {
    const seen = await scripted([status, 202], (client) => client.success("s"));
    assert.equal(seen.length, 2);
    assert.equal(seen[0], seen[1]);
  });
}

for (const status of [302, 400, 401, 404, 413, 422]) {
  test(`${status} is not sent again`, async () => {
    const seen = await scripted([status], (client) => assert.rejects(client.success("s"), RefusedError));
    assert.equal(seen.length, 1);
  });
}

test("a server that is away breaks no job, and no key is shown", async () => {
  const said = [];
  const options = { url: "http://127.0.0.1:9", apiKey: "fp_secret", retries: 0, warn: (t) => said.push(t) };
  assert.equal(await new Client(options).run("s", () => 7), 7);
  assert.equal(await new Client({ ...options, apiKey: "fp_secret\nx" }).run("s", () => 7), 7);
  assert.equal(said.length, 4);
  assert.doesNotMatch(said.join() + inspect(new Client(options)), /fp_secret/);
  await assert.rejects(new Client({ ...options, strict: true }).run("s", () => 7), UnreachableError);
});

test("a server that is slow, or drips, takes no longer than it may", async () => {
  for (const head of ["", "HTTP/1.1 202 ", "HTTP/1.1 202 OK\r\nContent-Length: 400\r\n\r\n"]) {
    const timers = [];
    const server = createSocketServer((socket) => {
      socket.on("error", () => {});
      socket.write(head);
      if (head) timers.push(setInterval(() => socket.write(" "), 50));
    });
    await new Promise((done) => server.listen(0, "127.0.0.1", done));
    const url = `http://127.0.0.1:${server.address().port}`;
    const options = { url, apiKey: "fp_s", timeoutMs: 400, totalTimeoutMs: 1000, retries: 5 };
    const began = performance.now();
    await assert.rejects(new Client(options).success("s"), UnreachableError);
    const took = performance.now() - began;
    timers.forEach(clearInterval);
    server.close();
    assert.ok(took > 300 && took < 3000, `${took} ms`);
  }
});

test("Retry-After is heeded in seconds and as a date", async () => {
  const past = "Wed, 21 Oct 2015 07:28:00 GMT";
  for (const [header, least, most] of [
    ["1", 900, 3000],
    ["a date", 600, 5000],
    [past, 0, 400],
    ["2026-01-15", 300, 2000],
    ["soon", 300, 2000],
  ]) {
    const began = performance.now();
    const said = header === "a date" ? new Date(Date.now() + 2500).toUTCString() : header;
    const seen = await scripted([429, 202], (client) => client.success("s"), { retryAfter: said });
    const took = performance.now() - began;
    assert.equal(seen.length, 2);
    assert.ok(took >= least && took < most, `${header}: ${took} ms`);
  }
  const seen = await scripted([503], (c) => assert.rejects(c.success("s"), RefusedError), {
    retryAfter: "3600",
  });
  assert.equal(seen.length, 1);
});

test("a batch that is refused tells why of each", async () => {
  const event = { kind: "run-success", workflow_slug: slug };
  const batch = [{ ...event, ended_at: "soon" }, event];
  await assert.rejects(new Client().batch(batch), (error) => {
    assert.deepEqual(
      error.events.map((each) => each.code),
      ["validation_failed", "validation_failed"],
    );
    assert.match(error.message, /events\[0\]: 400 validation_failed: ended_at/);
    assert.match(error.message, /events\[1\]: 400 validation_failed: ended_at is missing/);
    return true;
  });
});

test("a key of the user's own makes two, of start and end", async () => {
  const seen = await scripted([202, 202], (client) =>
    client.run("s", () => {}, { idempotency_key: "mine" }),
  );
  assert.deepEqual(
    seen.map((text) => text.slice(0, text.indexOf("{"))),
    ["mine-start", "mine"],
  );
});

test("what was thrown is told with its frames, however long its message is", async () => {
  const fail = () => {
    throw new RangeError("y".repeat(100_000));
  };
  const seen = await scripted([202], (client) =>
    assert.rejects(client.run("s", fail, { sendStart: false }), RangeError),
  );
  const told = JSON.parse(seen[0].slice(seen[0].indexOf("{")));
  assert.equal(told.error_type, "RangeError");
  assert.match(told.error_message, /^y{1000}\n\n[^]*at fail /);
  assert.ok(told.error_message.length < 52_000);
});

const refused = (code, words) => (client) =>
  assert.rejects(client.success("s"), (error) => {
    assert.ok(error instanceof RefusedError);
    assert.equal(error.code, code);
    assert.match(error.message, words);
    return true;
  });

test("what answers but is not FlowPulse has taken nothing", async () => {
  for (const [status, answer] of [
    [200, "<html>"],
    [202, "{}"],
    [202, "null"],
    [404, ""],
  ]) {
    const seen = await scripted([status], refused("not_flowpulse", /Is http:.* its address/), { answer });
    assert.equal(seen.length, 1);
  }
  await scripted([308], refused("redirected", /leads on to http:\/\/127/), { answer: "" });
  await scripted([502, 502], refused("unknown", /before FlowPulse/), { answer: "<html>" });
});

test("the address may be the server's or the API's", async () => {
  for (const end of ["/", "/api/v1", "/api/v1/"]) {
    await scripted([202], (client) => client.success("s"), { end });
    assert.equal(paths.at(-1), "/api/v1/ingest/run-success");
  }
});

test("what no header and no JSON can hold is named", async () => {
  const client = new Client({ url: "http://127.0.0.1:9", apiKey: "fp_s" });
  await assert.rejects(client.success("s", { idempotency_key: "a\nb" }), /idempotency_key/);
  await assert.rejects(client.success("s", { metadata: { big: 1n } }), /no JSON/);
});

test("an event of a batch without a key gets one, the same with each try", async () => {
  const answer = '{"accepted": 1, "refused": 0, "events": [{}]}';
  const send = (client) => client.batch([{ kind: "run-success", idempotency_key: null }]);
  const [first, second] = await scripted([503, 202], send, { answer });
  assert.equal(first, second);
  assert.match(first, /"idempotency_key":"[^"]+"/);
});

test("what caused an error is told with it", async () => {
  const fail = () => {
    throw new Error("fetch failed", { cause: new Error("connect ECONNREFUSED", { cause: "wire" }) });
  };
  const seen = await scripted([202], (client) =>
    assert.rejects(client.run("s", fail, { sendStart: false }), /fetch failed/),
  );
  const told = JSON.parse(seen[0].slice(seen[0].indexOf("{"))).error_message;
  assert.match(told, /^fetch failed\n\nat fail [^]*Caused by: connect ECONNREFUSED\nat [^]*Caused by: wire$/);
});

test("it says who it is", async () => {
  await scripted([202], (client) => client.success("s"));
  assert.equal(agents.at(-1), `flowpulse-javascript/${VERSION}`);
});
