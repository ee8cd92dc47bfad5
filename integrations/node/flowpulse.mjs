// Tells FlowPulse how runs end. It never throws, and waits at most 10 s for an answer. Node 18 or newer.
import { randomUUID } from "node:crypto";
import { realpathSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const URL_OF_EVENTS = "https://flowpulse.example.org/api/v1/ingest";
const KEY = process.env.FLOWPULSE_API_KEY || "fp_your_key";
const WORKFLOW = "your-workflow";
const LONGEST = 50_000; // of an error message: a report that is too large is refused.

/** Send "run-success" or "run-failure"; true once FlowPulse has it. */
export async function report(event, fields = {}) {
  let reason;
  try {
    const body = JSON.stringify({
      workflow_slug: WORKFLOW,
      ended_at: new Date().toISOString(),
      source_platform: "node",
      ...fields,
    });
    const headers = {
      "X-API-Key": KEY,
      "Content-Type": "application/json",
      "Idempotency-Key": randomUUID(), // The same for all tries.
    };
    for (const least of [1000, 3000, 0]) {
      let wait = least;
      try {
        const answer = await fetch(`${URL_OF_EVENTS}/${event}`, {
          method: "POST",
          headers,
          body,
          signal: AbortSignal.timeout(10_000),
        });
        if (answer.ok) return true;
        reason = `${answer.status} ${await answer.text()}`;
        if (answer.status < 500 && answer.status !== 429) break;
        const wanted = 1000 * Number(answer.headers.get("Retry-After") ?? 0);
        if (least && wanted > least) wait = Math.min(wanted, 10_000);
      } catch (error) {
        reason = error.cause ?? error;
      }
      await pause(wait);
    }
  } catch (error) {
    reason = error;
  }
  console.error(`FlowPulse did not take the report: ${textOf(() => reason)}`);
  return false;
}

/** What `read` gives, as text; "" for what has none. Anything may be thrown. */
function textOf(read) {
  try {
    return String(read() ?? "").slice(0, LONGEST);
  } catch {
    return "";
  }
}

/** await watched(async () => { … }) reports the job's success or failure; its errors pass through. */
export async function watched(job) {
  const run = { external_execution_id: randomUUID(), started_at: new Date().toISOString() };
  let result;
  try {
    result = await job();
  } catch (error) {
    await report("run-failure", {
      ...run,
      error_type: textOf(() => error?.name),
      error_message: textOf(() => error?.message ?? error) || "The job failed without a message",
    });
    throw error;
  }
  await report("run-success", run);
  return result;
}

/** Whether Node was started with this file, be it by a link to it. */
function isStarted() {
  try {
    return realpathSync(process.argv[1]) === realpathSync(fileURLToPath(import.meta.url));
  } catch {
    return false;
  }
}

if (isStarted()) {
  await watched(async () => {
    console.log("Your job goes here.");
  });
}
