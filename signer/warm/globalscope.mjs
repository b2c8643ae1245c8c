// Programs that start in the global scope of the Worker. Cloudflare evaluates it before a request
// arrives and does not charge it to the request. There are no random values, no clock, no timers
// and no I/O. Two programs start there: the first one of the pool, and one for the warm-up.
import { env } from "cloudflare:workers";
import { tagged } from "./calls.mjs";
import { BATCH, EXEC, FETCH, LIMIT, QUERY, REPLY, SIGN, VERIFY } from "./operation.mjs";
import { recorded } from "./recorded.mjs";
import { sign, verify } from "./rsa.mjs";

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
// the compiled code. Its random values and its clock are not real. Its database repeats the results
// of recorded.mjs, and every response to a fetch is empty. It signs with the keys that it is given,
// which imports them for the requests, and accepts every signature. Its responses, log lines and
// memory are discarded.
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

  // answer returns the arguments of encode for the reply, or a promise of them, or undefined if the
  // operation has no reply.
  answer(op, reader) {
    return answers[op]?.(reader);
  }
}

const answers = {
  [EXEC]: (reader) => {
    const [changes] = repeat(reader.string(), reader);
    return [["", changes, 0, 0]];
  },
  [QUERY]: (reader) => {
    const [, columns, rows] = repeat(reader.string(), reader);
    return [["", columns.length, ...columns, ...rows.flat().map(tagged)]];
  },
  [BATCH]: (reader) => {
    const [database, fields] = [reader.string(), ["", 0]];
    for (let n = reader.number(); n > 0; n--) {
      const [, columns, rows] = repeat(database, reader);
      fields.push(columns.length, ...columns, rows.length, ...rows.flat().map(tagged));
    }
    return [fields];
  },
  [LIMIT]: () => [["", 1]],
  [FETCH]: () => [["", 200, 0], new Uint8Array(0)],
  [SIGN]: sign,
  [VERIFY]: async (reader) => {
    await verify(reader);
    return [["", 1]];
  },
};

// repeat reads a statement and returns its next recorded result: changes, columns, rows.
function repeat(database, reader) {
  const sql = reader.string();
  for (let n = reader.number(); n > 0; n--) reader.string();
  const results = recorded[database]?.[sql] ?? [];
  return (results.length > 1 ? results.shift() : results[0]) ?? [0, [], []];
}
