// One running Go program. It serves ONE event at a time: workerd ties timers
// and I/O to the request that began them, and Go has a single timer queue, so
// two events in one program would wake each other's goroutines and hang.
import { env, waitUntil } from "cloudflare:workers";
import { enqueue, exec, fetchWhole, limit, query } from "./calls.mjs";
import { Reader, encode } from "./message.mjs";
import { sign, verify } from "./rsa.mjs";
import program from "./signer.wasm";
import "./wasm_exec.js";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

// What Go asks for; the numbers are those of warm/warm.go.
const [ANSWER, LOG, ABORT, FETCH, EXEC, QUERY, LIMIT, ENQUEUE, SIGN, VERIFY] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const calls = { [FETCH]: fetchWhole, [EXEC]: exec, [QUERY]: query, [LIMIT]: limit, [SIGN]: sign, [VERIFY]: verify };

export class Instance {
  #go = new Go();
  #wasm;
  #calls = new Map(); // id -> AbortController, fetches that have not ended
  #message; // what Go is about to take
  #event; // being served: {resolve, reject, read}
  dead = false;
  served = 0; // events
  since = 0; // when it was last handed out or given back, in Unix ms

  constructor() {
    // A stack that was needed once is needed again by the next event; by
    // default the garbage collector takes half of it away.
    this.#go.env = { GODEBUG: "gcshrinkstackoff=1" };
    this.#go.exit = (code) => this.end(new Error(`the Go program ended with code ${code}`));
    // Timers resume the program too. A trap in it is its end.
    this.#go._resume = () => {
      if (this.dead) return;
      try {
        Go.prototype._resume.call(this.#go);
      } catch (err) {
        this.end(err);
      }
    };
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

  // serve hands an event to Go, its fields and last as encode takes them, and
  // returns what read makes of a Reader of the answer. It throws what read
  // throws, and when the program dies of the event.
  serve(fields, last, read) {
    if (this.dead) throw new Error("the Go program did not start");
    this.served++;
    return new Promise((resolve, reject) => {
      this.#event = { resolve, reject, read };
      this.#deliver(0, fields, last);
    });
  }

  // deliver gives Go the reply to a call, or an event when id is 0, and runs it
  // until it waits again. Go sets its timer anew whenever it is resumed without
  // an event of syscall/js, and it has to: workerd cancels the timer of a
  // request that has ended.
  #deliver(id, fields, last) {
    if (this.dead) return;
    this.#message = encode(fields, last);
    try {
      this.#wasm.exports.receive(id, this.#message.length);
    } catch (err) {
      this.end(err);
    }
    this.#go._resume();
  }

  // send is Go's word to us. The bytes are Go's memory: what outlives this call
  // has to be copied.
  #send(op, id, bytes) {
    switch (op) {
      case ANSWER:
        this.#answer(new Reader(bytes));
        return;
      case LOG:
        console.log(decoder.decode(bytes).trimEnd());
        return;
      case ABORT:
        this.#calls.get(id)?.abort();
        return;
      case ENQUEUE:
        waitUntil(enqueue(new Reader(bytes)));
        return;
    }
    let signal;
    if (op === FETCH) {
      const controller = new AbortController();
      this.#calls.set(id, controller);
      signal = controller.signal;
    }
    calls[op](new Reader(bytes), signal)
      .catch((err) => [[String(err?.message || err)]])
      .then(([fields, last]) => {
        this.#calls.delete(id);
        this.#deliver(id, fields, last);
      });
  }

  #answer(told) {
    const event = this.#event;
    this.#event = undefined;
    try {
      event?.resolve(event.read(told));
    } catch (err) {
      event.reject(err);
    }
  }

  // end gives the program up and tells the event being served why: it exited or
  // trapped, which it never should, or took too long. The promise that run returns would tell too late: workerd
  // ties it to the request that started the instance.
  end = (why) => {
    this.dead = true;
    this.#event?.reject(why);
    this.#event = undefined;
  };
}
