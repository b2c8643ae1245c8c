// What a Go program may ask of the Worker: fetch, D1, rate limits and queues. Each call takes a
// Reader, which it has read before it first waits, and returns the arguments of
// encode for the reply, of which the first field is "" or what went wrong.
import { env } from "cloudflare:workers";
import { flatten } from "./message.mjs";
import { readWhole } from "./whole.mjs";

// fetchWhole is fetch: binding ("" for the Worker's own), method, URL, headers,
// body and the most bytes to keep of the answer -> status, headers, body. A
// redirect is an answer like any other. When no bytes are to be kept, nothing is left
// of the answer but its status and Retry-After.
export async function fetchWhole(asked, signal) {
  const binding = asked.string();
  const fetcher = binding ? bound(binding, "fetch") : globalThis;
  const [method, url, headers] = [asked.string(), asked.string(), asked.headers()];
  const body = asked.bytes();
  const most = asked.number();
  try {
    const answer = await fetcher.fetch(url, { method, headers, body: body.length ? body : undefined, signal, redirect: "manual" });
    if (most === 0) {
      answer.body?.cancel().catch(() => {});
      const after = answer.headers.get("Retry-After");
      return [["", answer.status, ...flatten(new Map(after === null ? [] : [["Retry-After", after]]))], new Uint8Array(0)];
    }
    const whole = await readWhole(answer, most);
    return [["", answer.status, ...flatten(answer.headers)], whole];
  } catch {
    // workerd's text can hold the URL, and with it a secret.
    return [["fetch failed"]];
  }
}

// exec runs a statement: binding, SQL and arguments -> rows changed, last id, size of
// the database in bytes (0: not known).
export async function exec(asked) {
  const { meta } = await statement(asked).run();
  return [["", meta.changes, meta.last_row_id ?? 0, meta.size_after ?? 0]];
}

// query runs a statement: binding, SQL and arguments -> columns, cells.
export async function query(asked) {
  const [columns = [], ...rows] = await statement(asked).raw({ columnNames: true });
  const fields = ["", columns.length, ...columns];
  for (const row of rows) for (const cell of row) fields.push(tagged(cell));
  return [fields];
}

// limit counts a call: binding, key -> 1 when there may be one more, else 0.
export async function limit(asked) {
  const limiter = bound(asked.string(), "limit");
  const { success } = await limiter.limit({ key: asked.string() });
  return [["", success ? 1 : 0]];
}

// enqueue sends a message to a queue: binding, JSON. Go does not wait for it; the
// event does, once it is answered.
export async function enqueue(asked) {
  const [binding, body] = [asked.string(), asked.string()];
  try {
    await bound(binding, "send").send(JSON.parse(body));
  } catch (err) {
    console.error(JSON.stringify({ level: "ERROR", msg: "queue took no message", binding, error: String(err?.message || err) }));
  }
}

// bound returns what is bound to a name, which has to have a method.
function bound(name, method) {
  const binding = env[name];
  if (!binding?.[method]) throw new Error(`wrangler.toml binds nothing to ${name} that has ${method}`);
  return binding;
}

function statement(asked) {
  const database = bound(asked.string(), "prepare");
  const sql = asked.string();
  const args = [];
  for (let n = asked.number(); n > 0; n--) args.push(untagged(asked.string()));
  return database.prepare(sql).bind(...args);
}

// tagged makes a field of a value: its type, as in warm/d1.go, and its text.
function tagged(value) {
  if (typeof value === "string") return "s" + value;
  if (typeof value === "number") return (Number.isSafeInteger(value) ? "i" : "f") + value;
  if (value === null) return "n";
  throw new Error("D1 returned a value that is neither text nor a number");
}

function untagged(field) {
  if (field[0] === "s") return field.slice(1);
  if (field[0] === "n") return null;
  return Number(field.slice(1));
}
