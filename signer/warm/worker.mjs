// The Worker's entry: it turns requests, cron triggers and queue batches into
// messages for a warm Go program, and the answers back.
import { waitUntil } from "cloudflare:workers";
import { flatten } from "./message.mjs";
import { pool } from "./pool.mjs";
import { readBody } from "./body.mjs";

const maxBody = 64 * 1024; // bytes of a request; Go refuses what is longer

async function answer(request) {
  let body;
  try {
    body = await readBody(request, maxBody + 1);
  } catch {
    return new Response(null, { status: 400 }); // it broke off; nobody hears this
  }
  try {
    return await pool.run(["request", request.method, request.url, ...flatten(request.headers)], body, readResponse);
  } catch (err) {
    // Go's own panics are caught in Go; what ends up here lost its program.
    const id = crypto.randomUUID();
    console.error(JSON.stringify({ level: "ERROR", msg: "request lost", request_id: id, error: String(err) }));
    return Response.json(
      { code: "internal", message: "the signer failed", request_id: id },
      { status: 500, headers: { "Cache-Control": "no-store" } },
    );
  }
}

function readResponse(reply) {
  readOutcome(reply);
  const [status, headers, body] = [reply.number(), reply.headers(), reply.bytes()];
  return new Response(body.length ? body : null, { status, headers });
}

// readOutcome throws what went wrong in Go, if anything did.
function readOutcome(reply) {
  const failure = reply.string();
  if (failure) throw new Error(failure);
}

// readBatch returns what went wrong, "" if nothing did, and the set of the
// messages that Go acknowledged.
function readBatch(reply) {
  const failure = reply.string();
  const done = new Set();
  while (!reply.done) done.add(reply.string());
  return [failure, done];
}

export default {
  async fetch(request) {
    const answered = answer(request);
    // Money is moving: finish even when the caller has hung up.
    waitUntil(answered);
    return answered;
  },

  async scheduled({ cron, scheduledTime }) {
    await pool.run(["cron", cron, scheduledTime], undefined, readOutcome);
  },

  // A batch that Go returns without an error is done; of one with an error,
  // what Go acknowledged is.
  async queue(batch) {
    const messages = batch.messages.flatMap(({ id, attempts, body }) => [id, attempts, JSON.stringify(body)]);
    const [failure, done] = await pool.run(["queue", batch.queue, batch.messages.length, ...messages], undefined, readBatch);
    if (!failure) return batch.ackAll();
    for (const message of batch.messages) {
      if (done.has(message.id)) message.ack();
      else message.retry();
    }
    console.error(JSON.stringify({ level: "ERROR", msg: "queue batch failed", queue: batch.queue, error: failure }));
  },
};
