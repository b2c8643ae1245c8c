// One running Go program. It serves ONE event at a time: workerd ties timers
// and I/O to the request that began them, and Go has a single timer queue, so
// two events in one program would wake each other's goroutines and hang.
import { env } from "cloudflare:workers";
import { exec, fetchWhole, query } from "./calls.mjs";
import { Reader, encode } from "./message.mjs";
import program from "./signer.wasm";
import "./wasm_exec.js";

const decoder = new TextDecoder();

// What Go asks for; the numbers are those of warm/warm.go.
const [ANSWER, LOG, ABORT, FETCH, EXEC, QUERY] = [0, 1, 2, 3, 4, 5];
const calls = { [FETCH]: fetchWhole, [EXEC]: exec, [QUERY]: query };

export class Instance {
  #go = new Go();
  #wasm;
  #timers = new Map(); // id -> {handle, due}, Go's timers that have not fired
  #calls = new Map(); // id -> AbortController, fetches that have not ended
  #message; // what Go is about to take
  #event; // being served: {resolve, reject}
  dead = false;
  served = 0; // events
  since = 0; // when it was last handed out or given back, in Unix ms

  constructor() {
    // A stack that was needed once is needed again by the next event; by
    // default the garbage collector takes half of it away.
    this.#go.env = { GODEBUG: "gcshrinkstackoff=1" };
    this.#ownTimers();
    this.#go.exit = (code) => this.end(new Error(`the Go program ended with code ${code}`));
    const border = {
      send: (op, id, at, size) => this.#send(op, id, new Uint8Array(this.#go.mem.buffer, at >>> 0, size >>> 0)),
      take: (at) => new Uint8Array(this.#go.mem.buffer).set(this.#message, at >>> 0),
    };
    this.#wasm = new WebAssembly.Instance(program, { ...this.#go.importObject, warm: border });
    // The library reads this global while the program initialises, which
    // happens before run returns.
    globalThis.context = { env, binding: {} };
    this.#go.run(this.#wasm).catch(this.end);
    delete globalThis.context;
  }

  // memory is the size of the program's linear memory in bytes; it only grows.
  get memory() {
    return this.#wasm.exports.mem.buffer.byteLength;
  }

  // references is the number of JavaScript values that Go holds on to.
  get references() {
    return this.#go._values.length - this.#go._idPool.length;
  }

  // serve hands an event to Go and returns a Reader of the answer. It throws
  // when the program dies of it.
  serve(event) {
    if (this.dead) throw new Error("the Go program did not start");
    this.served++;
    this.#rearm();
    return new Promise((resolve, reject) => {
      this.#event = { resolve, reject };
      this.#deliver(0, event);
    });
  }

  // deliver gives Go the reply to a call, or an event when id is 0, and runs it
  // until it waits again.
  #deliver(id, message) {
    if (this.dead) return;
    this.#message = message;
    this.#guard(() => {
      this.#wasm.exports.receive(id, message.length);
      this.#go._resume();
    });
  }

  // guard runs Go code; a trap in it is the end of the program.
  #guard(run) {
    try {
      run();
    } catch (err) {
      this.end(err);
    }
  }

  // send is Go's word to us. The bytes are Go's memory: what outlives this call
  // has to be copied.
  #send(op, id, bytes) {
    switch (op) {
      case ANSWER:
        this.#event?.resolve(new Reader(bytes.slice()));
        this.#event = undefined;
        return;
      case LOG:
        console.log(decoder.decode(bytes).trimEnd());
        return;
      case ABORT:
        this.#calls.get(id)?.abort();
        return;
    }
    let signal;
    if (op === FETCH) {
      const controller = new AbortController();
      this.#calls.set(id, controller);
      signal = controller.signal;
    }
    calls[op](new Reader(bytes), signal)
      .catch((err) => [String(err?.message || err)])
      .then((fields) => {
        this.#calls.delete(id);
        this.#deliver(id, encode(fields));
      });
  }

  // end gives the program up and tells the event being served why: it exited or
  // trapped, which it never should, or took too long. The promise that run returns would tell too late: workerd
  // ties it to the request that started the instance.
  end = (why) => {
    this.dead = true;
    for (const { handle } of this.#timers.values()) clearTimeout(handle);
    this.#event?.reject(why);
    this.#event = undefined;
  };

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
        if (this.dead || !this.#timers.has(id)) return;
        this.#guard(() => this.#go._resume());
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
