// The pool keeps Go programs running, because starting one costs more than most requests. It
// handles all events of an isolate.
import { FirstStart, WarmUp, mapSeed } from "./globalscope.mjs";
import { Instance } from "./instance.mjs";

// An isolate has 128 MiB. JavaScript, bodies and the compiled program use the rest.
export const limits = {
  count: 16, // instances, busy and idle
  memory: 96 * 1024 * 1024, // bytes of linear memory of all instances
  instanceMemory: 24 * 1024 * 1024, // bytes of one instance before it is replaced
  expectedMemory: 10 * 1024 * 1024, // bytes that an instance reaches in its first thousand events
  served: 1000, // events of an instance before it is replaced
  spareMemory: 112 * 1024 * 1024, // bytes of all instances, including spare ones
  spareAfter: 1000, // ms that an event waits before it may start a spare instance
  deadline: 60_000, // ms that an event may take; then its instance ends
};

const notStarted = "the first program did not start in the global scope";

class Pool {
  #all = new Set();
  #idle = []; // the most recently used one last
  #queue = []; // events waiting for an instance: {resolve}
  started = 0; // instances started so far
  discarded = 0; // of those, discarded for any reason
  warmedUp = false; // whether the warm-up has succeeded
  #problems = []; // log lines about the global scope

  // prepare runs in the global scope; see globalscope.mjs. A problem there costs only time: the
  // programs start during events. The next event logs it, because Cloudflare shows no log of the
  // global scope.
  prepare() {
    const problem = (msg) => (err) => this.#problems.push({ level: "WARN", msg, error: String(err) });
    try {
      const seed = mapSeed();
      if (seed) this.#idle.push(this.#start(new FirstStart(seed)));
    } catch (err) {
      problem(notStarted)(err);
    }
    // Nothing waits for it: a program that waits for a timer never ends.
    warmUp().then(() => (this.warmedUp = true), problem("the warm-up in the global scope failed"));
  }

  // run serves one event on any instance; see Instance.serve.
  async run(fields, last, read) {
    const instance = await this.#acquire();
    const timer = setTimeout(() => instance.end(new Error(`no response within ${limits.deadline} ms`)), limits.deadline);
    try {
      return await instance.serve(fields, last, read);
    } finally {
      clearTimeout(timer);
      this.#release(instance);
    }
  }

  get count() {
    return this.#all.size;
  }

  get memory() {
    let sum = 0;
    for (const instance of this.#all) sum += instance.memory;
    return sum;
  }

  // references is the number of JavaScript values that Go holds.
  get references() {
    let sum = 0;
    for (const instance of this.#all) sum += instance.references;
    return sum;
  }

  async #acquire() {
    for (const line of this.#problems.splice(0)) console.warn(JSON.stringify(line));
    let instance = this.#idle.pop();
    if (instance?.dead) {
      const msg = instance.served > 0 ? "an idle program has ended" : notStarted;
      console.warn(JSON.stringify({ level: "WARN", msg, error: String(instance.reason) }));
      this.#discard(instance);
      instance = undefined;
    }
    instance ??= await this.#createOrWait();
    instance.lastUsed = Date.now();
    return instance;
  }

  // createOrWait returns an instance if none is idle.
  async #createOrWait() {
    this.#discardLost();
    if (this.#hasRoom()) return this.#start();
    return (await this.#waitForInstance()) ?? this.#start();
  }

  // waitForInstance waits for an instance, first come first served. It returns undefined if the
  // caller must start one. After limits.spareAfter a waiter may start a spare instance while memory
  // stays below limits.spareMemory: unlimited cold starts overload the isolate. After half the
  // deadline it may start one regardless, because slow is better than an error.
  async #waitForInstance() {
    const waiter = Promise.withResolvers();
    this.#queue.push(waiter);
    // The timer belongs to the waiting event. It also keeps workerd from treating the request as
    // hung.
    const last = Date.now() + limits.deadline / 2;
    const timer = setInterval(() => {
      if (Date.now() < last && !this.#fits(Infinity, limits.spareMemory)) return;
      const i = this.#queue.indexOf(waiter);
      if (i >= 0) this.#queue.splice(i, 1);
      waiter.resolve(undefined);
    }, limits.spareAfter);
    const instance = await waiter.promise;
    clearInterval(timer);
    return instance;
  }

  #release(instance) {
    const expired = instance.dead || instance.served >= limits.served || instance.memory > limits.instanceMemory;
    const overLimit = this.#all.size > limits.count || this.memory > limits.memory;
    if (expired || overLimit || !this.#all.has(instance)) {
      this.#discard(instance);
      if (this.#queue.length > 0 && this.#hasRoom()) this.#queue.shift().resolve(undefined);
      return;
    }
    instance.lastUsed = Date.now(); // the waiter may be gone
    const next = this.#queue.shift();
    if (next) next.resolve(instance);
    else this.#idle.push(instance);
  }

  #start(scope) {
    const instance = new Instance(scope);
    this.#all.add(instance);
    this.started++;
    return instance;
  }

  #discard(instance) {
    if (this.#all.delete(instance)) this.discarded++;
  }

  #hasRoom() {
    return this.#fits(limits.count, limits.memory);
  }

  // fits reports whether another instance stays within a count and a memory limit. It counts each
  // instance with at least its expected memory.
  #fits(count, memory) {
    let sum = limits.expectedMemory;
    for (const instance of this.#all) sum += Math.max(instance.memory, limits.expectedMemory);
    return this.#all.size < count && sum <= memory;
  }

  // discardLost discards instances whose event ended without a result: workerd may stop an event
  // and its timers. It is called when no instance is idle.
  #discardLost() {
    const oldest = Date.now() - 2 * limits.deadline;
    for (const instance of this.#all) {
      if (instance.lastUsed < oldest) this.#discard(instance);
    }
  }
}

// warmUp runs a program that is discarded afterwards; see WarmUp.
async function warmUp() {
  await new Instance(new WarmUp()).serve(["warmup"], undefined, (reply) => {
    const failure = reply.string();
    if (failure) throw new Error(failure);
  });
}

export const pool = new Pool();
pool.prepare();
