// An instance is one running Go program. It serves one event at a time: workerd ties timers and I/O
// to the request that started them, and Go has a single timer queue. Two events in one program
// would wake each other's goroutines and hang.
import { env, waitUntil } from "cloudflare:workers";
import { batch, enqueue, exec, fetchBuffered, limit, query } from "./calls.mjs";
import { Reader, encode } from "./message.mjs";
import { ABORT, BATCH, ENQUEUE, EXEC, FETCH, LIMIT, LOG, QUERY, REPLY, SIGN, VERIFY } from "./operation.mjs";
import { sign, verify } from "./rsa.mjs";
import program from "./signer.wasm";
import "./wasm_exec.js";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

const calls = { [FETCH]: fetchBuffered, [EXEC]: exec, [QUERY]: query, [LIMIT]: limit, [SIGN]: sign, [VERIFY]: verify, [BATCH]: batch };

export class Instance {
  #go = new Go();
  #wasm;
  #calls = new Map(); // id -> AbortController of a running fetch
  #message; // for the next take
  #event; // the current event: {resolve, reject, read}
  #scope; // see globalscope.mjs
  dead = false;
  reason; // the error that ended it
  served = 0; // number of events
  lastUsed = 0; // last acquired or released, in Unix ms

  // scope is that of a program that starts in the global scope, else undefined.
  constructor(scope) {
    this.#scope = scope;
    scope?.replaceImports(this.#go);
    // By default the garbage collector shrinks the stack, and the next event must grow it again.
    this.#go.env = { GODEBUG: "gcshrinkstackoff=1" };
    this.#go.exit = (code) => this.end(new Error(`the Go program exited with code ${code}`));
    // Timers resume the program too. A trap ends it.
    this.#go._resume = () => {
      if (this.dead) return;
      try {
        Go.prototype._resume.call(this.#go);
      } catch (err) {
        this.end(err);
      }
    };
    const imports = {
      send: (op, id, at, size) => this.#send(op, id, new Uint8Array(this.#go.mem.buffer, at >>> 0, size >>> 0)),
      take: (at) => new Uint8Array(this.#go.mem.buffer).set(this.#message, at >>> 0),
    };
    this.#wasm = new WebAssembly.Instance(program, { ...this.#go.importObject, warm: imports });
    // The library reads this global while the program initialises, before run returns.
    globalThis.context = { env, binding: {} };
    this.#go.run(this.#wasm).catch(this.end);
    delete globalThis.context;
    scope?.started();
  }

  // memory is the size of the program's linear memory in bytes; it never shrinks.
  get memory() {
    return this.#wasm.exports.mem.buffer.byteLength;
  }

  // references is the number of JavaScript values that Go holds.
  get references() {
    return this.#go._values.length - this.#go._idPool.length;
  }

  // serve passes an event to Go: its fields and its last field, as encode takes them. It returns
  // the result of read, which gets a Reader of the reply. It throws what read throws, and an error
  // if the program ends.
  serve(fields, last, read) {
    if (this.dead) throw new Error("the Go program has ended");
    this.served++;
    return new Promise((resolve, reject) => {
      this.#event = { resolve, reject, read };
      this.#deliver(0, fields, last);
    });
  }

  // deliver passes Go the reply to a call, or an event if id is 0, and runs Go until it waits
  // again. Go sets its timer again whenever it is resumed without a syscall/js event. That is
  // necessary: workerd cancels the timers of a request that has ended.
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

  // send handles a call from Go. bytes is Go's memory: copy what is needed after this call.
  #send(op, id, bytes) {
    if (this.#scope?.intercepts(op)) {
      const answer = this.#scope.answer(op, new Reader(bytes));
      if (answer) Promise.resolve(answer).then((reply) => this.#deliver(id, ...reply));
      return;
    }
    switch (op) {
      case REPLY:
        this.#finish(new Reader(bytes));
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

  #finish(reply) {
    const event = this.#event;
    this.#event = undefined;
    try {
      event?.resolve(event.read(reply));
    } catch (err) {
      event.reject(err);
    }
  }

  // end ends the program and rejects the current event: the program exited, trapped or timed out.
  // The promise of run would reject too late, because workerd ties it to the request that started
  // the instance.
  end = (why) => {
    this.dead = true;
    this.reason ??= why;
    this.#event?.reject(why);
    this.#event = undefined;
  };
}
