// The pool keeps Go programs warm: starting one costs more than most requests
// do. All of an isolate's events pass through it.
import { Instance } from "./instance.mjs";

// An isolate has 128 MiB, of which the rest is for JavaScript, bodies and the
// compiled program.
export const limits = {
  count: 16, // instances, busy and idle
  memory: 96 * 1024 * 1024, // bytes of linear memory of them all
  instanceMemory: 24 * 1024 * 1024, // bytes of one, before it is replaced
  expectedMemory: 10 * 1024 * 1024, // bytes that one grows to in its first thousand events
  served: 1000, // events, before an instance is replaced
  spareMemory: 112 * 1024 * 1024, // bytes, with the instances that are thrown away
  spareAfter: 1000, // ms that an event waits in line before it may have a spare one
  deadline: 60_000, // ms that an event may take; its instance ends with it
};

class Pool {
  #all = new Set();
  #idle = []; // the warmest last
  #queue = []; // events waiting for an instance: {resolve}
  started = 0; // instances so far
  discarded = 0; // of them, thrown away for any reason

  // run serves one event on any instance; see Instance.serve.
  async run(fields, last, read) {
    const instance = await this.#acquire();
    const timer = setTimeout(() => instance.end(new Error("no answer in time")), limits.deadline);
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

  // references is the number of JavaScript values that Go holds on to.
  get references() {
    let sum = 0;
    for (const instance of this.#all) sum += instance.references;
    return sum;
  }

  async #acquire() {
    const instance = this.#idle.pop() ?? (await this.#createOrWait());
    instance.lastUsed = Date.now();
    return instance;
  }

  // another finds an instance when none is idle.
  async #createOrWait() {
    this.#discardLost();
    if (this.#hasRoom()) return this.#start();
    return (await this.#waitForInstance()) ?? this.#start();
  }

  // waitForInstance waits until an instance comes back, in the order of arrival, and
  // returns undefined when one is to be started. Who has waited long gets one
  // to throw away, while there is memory for it: more of them at once would
  // bring the isolate to its knees. At last everybody does, lastUsed even that is
  // better than an error.
  async #waitForInstance() {
    const waiter = Promise.withResolvers();
    this.#queue.push(waiter);
    // The timer belongs to the event that waits. It also keeps workerd from
    // taking it for hung, which it does with a request that waits for nothing.
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
    instance.lastUsed = Date.now(); // whoever it is handed to may be gone
    const next = this.#queue.shift();
    if (next) next.resolve(instance);
    else this.#idle.push(instance);
  }

  #start() {
    const instance = new Instance();
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

  // fits reports whether one more instance keeps to a count and to bytes, once
  // all of them have grown as they usually do.
  #fits(count, memory) {
    let sum = limits.expectedMemory;
    for (const instance of this.#all) sum += Math.max(instance.memory, limits.expectedMemory);
    return this.#all.size < count && sum <= memory;
  }

  // dropLost forgets the instances whose event ended without a word: workerd may
  // stop an event, timers and all. It is called when none is idle.
  #discardLost() {
    const oldest = Date.now() - 2 * limits.deadline;
    for (const instance of this.#all) {
      if (instance.lastUsed < oldest) this.#discard(instance);
    }
  }
}

export const pool = new Pool();
