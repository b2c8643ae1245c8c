// The Worker's entry. It keeps Go instances warm: starting one costs more than
// most requests do.
//
// An instance serves ONE request at a time. workerd ties timers and I/O to the
// request that began them, and Go has a single timer queue, so two requests in
// one instance would wake each other's goroutines and hang.
//
// Bodies cross the border whole and capped, never as streams.
import { env, waitUntil } from "cloudflare:workers";
import "./wasm_exec.js";
import program from "./signer.wasm";

const maxBody = 64 * 1024; // bytes of a request; Go refuses what is longer
const maxDrained = 16 * 1024 * 1024; // bytes read of a body that is too long
const maxIdle = 8; // instances kept for the next requests of this isolate
const maxServed = 1000; // requests before an instance is replaced
const maxMemory = 24 * 1024 * 1024; // bytes of linear memory before it is replaced

// Instance is one running Go program.
class Instance {
  #go = new Go();
  #timers = new Map(); // id -> {handle, due}, Go's timers that have not fired
  #wasm;
  #context = { env, binding: {}, fetchWhole };
  #reject; // of the request being served
  dead = false;
  served = 0;

  constructor() {
    this.#ownTimers();
    this.#watchEnd();
    this.#wasm = new WebAssembly.Instance(program, this.#go.importObject);
    // Go's packages read this global while they initialise, which happens
    // before run returns.
    globalThis.context = this.#context;
    this.#go.run(this.#wasm);
    delete globalThis.context;
  }

  get worn() {
    return this.dead || this.served >= maxServed || this.#wasm.exports.mem.buffer.byteLength > maxMemory;
  }

  // handle runs one request through Go's http.Handler.
  handle(method, url, headers, body) {
    this.served++;
    this.#rearm();
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      this.#context.binding.handle(method, url, headers, body, (status, headers, body) =>
        resolve({ status, headers, body }),
      );
    });
  }

  // watchEnd tells the request being served when the program exits or traps,
  // which it never should. The promise that run returns cannot: workerd ties it
  // to the request that started the instance.
  #watchEnd() {
    const go = this.#go;
    const end = (why) => {
      this.dead = true;
      this.#reject?.(why);
    };
    go.exit = (code) => end(new Error(`the Go program ended with code ${code}`));
    go._resume = () => {
      try {
        Go.prototype._resume.call(go);
      } catch (err) {
        end(err);
      }
    };
  }

  // ownTimers replaces the timers of wasm_exec.js by ones that can be set
  // again: those of a finished request are cancelled by workerd behind Go's
  // back, and Go would wait for them for ever.
  #ownTimers() {
    const go = this.#go;
    const imports = go.importObject.gojs;
    imports["runtime.scheduleTimeoutEvent"] = (sp) => {
      sp >>>= 0;
      const id = go._nextCallbackTimeoutID++;
      this.#arm(id, Date.now() + Number(go.mem.getBigInt64(sp + 8, true)));
      go.mem.setInt32(sp + 16, id, true);
    };
    imports["runtime.clearTimeoutEvent"] = (sp) => {
      sp >>>= 0;
      const id = go.mem.getInt32(sp + 8, true);
      clearTimeout(this.#timers.get(id)?.handle);
      this.#timers.delete(id);
    };
  }

  #arm(id, due) {
    const handle = setTimeout(
      () => {
        // Go clears the timer once it sees that its time has come; a clock
        // that is a little behind makes it look again.
        if (!this.#timers.has(id)) return;
        this.#go._resume();
        if (this.#timers.has(id)) this.#arm(id, Date.now() + 1);
      },
      Math.max(0, due - Date.now()),
    );
    this.#timers.set(id, { handle, due });
  }

  #rearm() {
    for (const [id, { handle, due }] of this.#timers) {
      clearTimeout(handle);
      this.#arm(id, due);
    }
  }
}

const idle = [];

async function serve(request) {
  const body = await readWhole(request.body, maxBody + 1);
  const instance = idle.pop() ?? new Instance();
  let answer;
  try {
    answer = await instance.handle(request.method, request.url, [...request.headers].flat(), body);
  } catch (err) {
    // Go's own panics are caught in Go; what ends up here lost its instance.
    const id = crypto.randomUUID();
    console.error(JSON.stringify({ level: "ERROR", msg: "instance lost", request_id: id, error: String(err) }));
    return Response.json(
      { code: "internal", message: "the signer failed", request_id: id },
      { status: 500, headers: { "Cache-Control": "no-store" } },
    );
  }
  if (!instance.worn && idle.length < maxIdle) idle.push(instance);
  const headers = new Headers();
  for (let i = 0; i < answer.headers.length; i += 2) headers.append(answer.headers[i], answer.headers[i + 1]);
  return new Response(answer.body.length ? answer.body : null, { status: answer.status, headers });
}

// fetchWhole is fetch for Go: the whole answer as {status, headers, body}, at
// most max bytes of body. A redirect is an answer like any other.
async function fetchWhole(method, url, headers, body, max, signal) {
  const sent = new Headers();
  for (let i = 0; i < headers.length; i += 2) sent.append(headers[i], headers[i + 1]);
  const res = await fetch(url, { method, headers: sent, body: body ?? undefined, signal, redirect: "manual" });
  return { status: res.status, headers: [...res.headers].flat(), body: await readWhole(res.body, max) };
}

// readWhole keeps the first max bytes of a stream. It reads on to the end of
// what is longer, up to a point, so that the sender hears the answer.
async function readWhole(stream, max) {
  if (!stream) return new Uint8Array(0);
  const chunks = [];
  let size = 0;
  for await (const chunk of stream) {
    if (size < max) chunks.push(chunk);
    size += chunk.byteLength;
    if (size >= maxDrained) break;
  }
  const whole = new Uint8Array(Math.min(size, max));
  let at = 0;
  for (const chunk of chunks) {
    const part = chunk.subarray(0, whole.length - at);
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export default {
  async fetch(request) {
    const answer = serve(request);
    // Money is moving: finish even when the caller has hung up.
    waitUntil(answer);
    return answer;
  },
};
