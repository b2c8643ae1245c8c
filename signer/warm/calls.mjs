// What a Go program may ask of the Worker: fetch, D1, rate limits and queues. Each call takes a
// Reader, which it has read before it first waits, and returns the arguments of
// encode for the reply, of which the first field is "" or what went wrong.
import { env } from "cloudflare:workers";
import { flatten } from "./message.mjs";
import { readBody } from "./body.mjs";

// fetchBuffered is fetch: binding ("" for the Worker's own), method, URL, headers,
// body and the maxBytes bytes to keep of the response -> status, headers, body. A
// redirect is an response like any other. When no bytes are to be kept the response
// is its status alone.
export async function fetchBuffered(reader, signal) {
  const binding = reader.string();
  const fetcher = binding ? getBinding(binding, "fetch") : globalThis;
  const [method, url, headers] = [reader.string(), reader.string(), reader.headers()];
  const body = reader.bytes();
  const maxBytes = reader.number();
  try {
    const response = await fetcher.fetch(url, { method, headers, body: body.length ? body : undefined, signal, redirect: "manual" });
    if (maxBytes === 0) {
      response.body?.cancel().catch(() => {});
      return [["", response.status, 0], new Uint8Array(0)];
    }
    const content = await readBody(response, maxBytes);
    return [["", response.status, ...flatten(response.headers)], content];
  } catch {
    // workerd's text can hold the URL, and with it a secret.
    return [["fetch failed"]];
  }
}

// exec runs a statement: binding, SQL and arguments -> rows changed, last id, size of
// the database in bytes (0: not known).
export async function exec(reader) {
  const { meta } = await statement(reader).run();
  return [["", meta.changes, meta.last_row_id ?? 0, meta.size_after ?? 0]];
}

// query runs a statement: binding, SQL and arguments -> columns, cells.
export async function query(reader) {
  const [columns = [], ...rows] = await statement(reader).raw({ columnNames: true });
  const fields = ["", columns.length, ...columns];
  for (const row of rows) for (const cell of row) fields.push(tagged(cell));
  return [fields];
}

// limit counts a call: binding, key -> 1 when there may be one more, else 0.
export async function limit(reader) {
  const limiter = getBinding(reader.string(), "limit");
  const { success } = await limiter.limit({ key: reader.string() });
  return [["", success ? 1 : 0]];
}

// enqueue sends a message to a queue: binding, JSON. Go does not wait for it; the
// event does, once it is answered.
export async function enqueue(reader) {
  const [binding, body] = [reader.string(), reader.string()];
  try {
    await getBinding(binding, "send").send(JSON.parse(body));
  } catch (err) {
    console.error(JSON.stringify({ level: "ERROR", msg: "queue took no message", binding, error: String(err?.message || err) }));
  }
}

// bound returns what is bound to a name, which has to have a method.
function getBinding(name, method) {
  const binding = env[name];
  if (!binding?.[method]) throw new Error(`wrangler.toml binds nothing to ${name} that has ${method}`);
  return binding;
}

function statement(reader) {
  const database = getBinding(reader.string(), "prepare");
  const sql = reader.string();
  const args = [];
  for (let n = reader.number(); n > 0; n--) args.push(untagged(reader.string()));
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
