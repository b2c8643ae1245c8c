// The Worker's entry. It turns requests, cron triggers and queue batches into messages for a Go
// program, and the replies into responses.
import { env, waitUntil } from "cloudflare:workers";
import { flatten } from "./message.mjs";
import { pool } from "./pool.mjs";
import { readBody } from "./body.mjs";
import { forget, pageVersion, startPage } from "./startpage.mjs";

const maxBody = 64 * 1024; // bytes of a request; Go rejects longer ones
const maxPhoto = 300_000; // bytes of POST /v1/photos, see internal/v1/routes.go

async function answer(request) {
  let body;
  try {
    body = await readBody(request, (new URL(request.url).pathname === "/v1/photos" ? maxPhoto : maxBody) + 1);
  } catch {
    return new Response(null, { status: 400 }); // the client disconnected
  }
  try {
    return await pool.run(["request", request.method, request.url, ...flatten(request.headers)], body, readResponse);
  } catch (err) {
    // Go recovers its own panics. Here the program ended.
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

// readOutcome throws the error of the program, if any.
function readOutcome(reply) {
  const failure = reply.string();
  if (failure) throw new Error(failure);
}

// readBatch returns the error, "" if there is none, and the set of the messages that Go
// acknowledged.
function readBatch(reply) {
  const failure = reply.string();
  const done = new Set();
  while (!reply.done) done.add(reply.string());
  return [failure, done];
}

// program answers a request for a program of the page. `make compressed` has compressed it better
// than Cloudflare does while it sends. A file that is not there is served as it is.
async function program(request) {
  const plain = request.method !== "GET" || request.headers.has("Range");
  if (!plain && /\bbr\b/.test(request.headers.get("Accept-Encoding"))) {
    const packed = await env.ASSETS.fetch(new Request(request.url + ".br", request));
    if (packed.status === 304) return packed;
    if (packed.ok) {
      const headers = new Headers(packed.headers);
      headers.set("Content-Type", "application/wasm");
      headers.set("Content-Encoding", "br");
      headers.set("Vary", "Accept-Encoding");
      return new Response(packed.body, { headers, encodeBody: "manual" });
    }
    await packed.body?.cancel();
  }
  return env.ASSETS.fetch(request);
}

export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (env.ASSETS && pathname.endsWith(".wasm")) return program(request);
    if (env.ASSETS && pathname === "/") return startPage(request, answer);
    const answered = answer(request);
    // Finish the request even if the client disconnects, because money may be moving.
    waitUntil(answered);
    if (pathname.startsWith("/v1/products") && request.method !== "GET") await answered.then(forget);
    if (!env.ASSETS || !pathname.startsWith("/api/")) return answered;
    const [response, version] = await Promise.all([answered, pageVersion(request)]);
    if (version) response.headers.set("H5pay-Page", version);
    return response;
  },

  async scheduled({ cron, scheduledTime }) {
    await pool.run(["cron", cron, scheduledTime], undefined, readOutcome);
  },

  // Without an error the whole batch is done. With an error only the acknowledged messages are.
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
