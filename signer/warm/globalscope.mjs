// Programs that start in the global scope of the Worker. Cloudflare evaluates it before a request
// arrives and does not charge it to the request. There are no random values, no clock, no timers
// and no I/O. Two programs start there: the first one of the pool, and one for the warm-up.
import { env } from "cloudflare:workers";
import { BATCH, EXEC, FETCH, LIMIT, QUERY, REPLY, SIGN, VERIFY } from "./operation.mjs";

const seedBytes = 32; // Go asks for them once, when it starts

// mapSeed returns the seed of the first program: Go draws the seeds of its maps from it, and
// nothing else (see FirstStart). Strangers who knew it could choose keys that collide. So it comes
// from a secret. Without one it is undefined, and all programs start during events.
export function mapSeed() {
  const secret = new TextEncoder().encode(env.SESSION_KEY ?? "");
  if (secret.length < seedBytes) return undefined;
  const seed = new Uint8Array(seedBytes);
  secret.forEach((byte, i) => {
    seed[i % seedBytes] = seed[i % seedBytes] * 31 + byte;
  });
  return seed;
}

// Scope replaces imports of a program. The numbers in the methods are the positions of arguments
// and results, as in wasm_exec.js.
class Scope {
  // replace makes a program call the method of the same name while the scope is active.
  replace(go, methods) {
    const { gojs } = go.importObject;
    for (const [name, method] of Object.entries(methods)) {
      const original = gojs[name];
      gojs[name] = (sp) => (this.active ? method(go.mem, sp >>> 0) : original(sp));
    }
  }

  active = true;
}

// Go needs a monotonic clock that is not 0.
const nanotime = (mem, sp) => mem.setBigInt64(sp + 8, 1n, true);

// slice returns the argument of getRandomData.
const slice = (mem, sp) => new Uint8Array(mem.buffer, mem.getUint32(sp + 8, true), mem.getUint32(sp + 16, true));

// FirstStart is the scope of the first program until it waits for an event. Random values other
// than the map seeds, the time, timers and calls end the program, because kept values of them would
// be the same in every isolate.
export class FirstStart extends Scope {
  #seed;

  constructor(seed) {
    super();
    this.#seed = seed;
  }

  replaceImports(go) {
    this.replace(go, {
      "runtime.nanotime1": nanotime,
      "runtime.getRandomData": (mem, sp) => {
        const random = slice(mem, sp);
        if (random.length !== this.#seed?.length) throw new Error("the program wants random values in the global scope");
        random.set(this.#seed);
        this.#seed = undefined;
      },
      "runtime.walltime": () => {
        throw new Error("the program wants the time in the global scope");
      },
    });
  }

  started() {
    this.active = false;
  }

  intercepts() {
    return this.active;
  }

  answer() {
    throw new Error("the program makes a call in the global scope");
  }
}

// WarmUp is the scope of a program that only makes V8 compile what requests use. All programs share
// the compiled code. Its random values and its clock are not real, its database is empty, and its
// other calls fail. Its responses, log lines and memory are discarded. Only a statement that begins
// with "SELECT ?" has a result: a row of its arguments.
export class WarmUp extends Scope {
  replaceImports(go) {
    let byte = 0;
    this.replace(go, {
      "runtime.nanotime1": nanotime,
      // All bytes occur, so that a program that skips some of them ends.
      "runtime.getRandomData": (mem, sp) => slice(mem, sp).forEach((_, i, random) => {
        random[i] = byte = (byte * 5 + 1) & 255;
      }),
      "runtime.walltime": (mem, sp) => {
        mem.setBigInt64(sp + 8, 1_800_000_000n, true);
        mem.setInt32(sp + 16, 0, true);
      },
      "runtime.scheduleTimeoutEvent": (mem, sp) => mem.setInt32(sp + 16, 1, true),
      "runtime.clearTimeoutEvent": () => {},
    });
  }

  started() {}

  intercepts(op) {
    return op !== REPLY;
  }

  // answer returns the fields of the reply, or undefined if the operation has none.
  answer(op, reader) {
    if (op === BATCH) return nothing(reader);
    return op === QUERY ? echo(reader) : answers[op];
  }
}

const failure = ["the program only warms up"];
const answers = { [EXEC]: ["", 0, 0, 0], [LIMIT]: ["", 1], [FETCH]: failure, [SIGN]: failure, [VERIFY]: failure };

// echo answers a query: binding, SQL, arguments -> columns, cells.
function echo(reader) {
  const [, sql, count] = [reader.string(), reader.string(), reader.number()];
  if (!sql.startsWith("SELECT ?")) return ["", 0];
  const cells = Array.from({ length: count }, () => reader.string());
  return ["", count, ...cells.keys(), ...cells];
}

// nothing answers a batch: no statement has rows.
function nothing(reader) {
  const [, statements] = [reader.string(), reader.number()];
  return ["", 0, ...Array(2 * statements).fill(0)];
}
