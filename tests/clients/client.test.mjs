// Run by test_javascript_client.py, which tells where the real server is.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { inspect } from "node:util";
import { Client, RefusedError, UnreachableError } from "../../clients/javascript/flowpulse.js";

const slug = process.env.SLUG;
const HOSTILE = `naïve 漢字 \0 \udc80 <script>"'\\\r\n${"x".repeat(200_000)}`;

async function scripted(statuses, use) {
  const seen = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    seen.push(request.headers["idempotency-key"] + body);
    response.writeHead(statuses.shift(), { "Retry-After": "0", Location: "http://127.0.0.1:9/" });
    response.end('{"event_id": "e", "status": "accepted"}');
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  try {
    await use(new Client({ url: `http://127.0.0.1:${server.address().port}`, apiKey: "fp_s" }));
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

for (const status of [429, 500, 502, 503, 504]) {
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
