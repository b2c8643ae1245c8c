// The calls that a Go program can make: fetch, D1, rate limits and queues. Each takes a Reader,
// which it must read before its first await. It returns the arguments of encode for the reply. The
// reply's first field is "" or an error.
import { env } from "cloudflare:workers";
import { flatten } from "./message.mjs";
import { readBody } from "./body.mjs";

// fetchBuffered is fetch: binding ("" for the Worker's own), method, URL, headers, body, maximum
// response size -> status, headers, body. It does not follow redirects. With a maximum of 0 it
// returns only the status and Retry-After.
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
      const after = response.headers.get("Retry-After");
      return [["", response.status, ...flatten(new Map(after === null ? [] : [["Retry-After", after]]))], new Uint8Array(0)];
    }
    const content = await readBody(response, maxBytes);
    return [["", response.status, ...flatten(response.headers)], content];
  } catch {
    // workerd's error text may contain the URL, and the URL a secret.
    return [["fetch failed"]];
  }
}

// exec runs a statement: binding, SQL, arguments -> changed rows, last id, size of the database in
// bytes (0 if unknown).
export async function exec(reader) {
  const { meta } = await statement(reader).run();
  return [["", meta.changes, meta.last_row_id ?? 0, meta.size_after ?? 0]];
}

// query runs a statement: binding, SQL, arguments -> columns, cells.
export async function query(reader) {
  const [columns = [], ...rows] = await statement(reader).raw({ columnNames: true });
  const fields = ["", columns.length, ...columns];
  for (const row of rows) for (const cell of row) fields.push(tagged(cell));
  return [fields];
}

// batch runs statements in one transaction: binding, number, SQL and arguments of each -> size of the
// database, and for each statement columns, number of rows, cells. D1 names no columns without rows.
export async function batch(reader) {
  const database = getBinding(reader.string(), "batch");
  const statements = [];
  for (let n = reader.number(); n > 0; n--) statements.push(bound(database, reader));
  const sets = await database.batch(statements);
  const fields = ["", sets.at(-1)?.meta.size_after ?? 0];
  for (const { results } of sets) {
    const columns = results.length ? Object.keys(results[0]) : [];
    fields.push(columns.length, ...columns, results.length);
    for (const row of results) for (const column of columns) fields.push(tagged(row[column]));
  }
  return [fields];
}

// limit counts a call: binding, key -> 1 if the call is allowed, else 0.
export async function limit(reader) {
  const limiter = getBinding(reader.string(), "limit");
  const { success } = await limiter.limit({ key: reader.string() });
  return [["", success ? 1 : 0]];
}

// enqueue sends a message to a queue: binding, JSON. Go does not wait for it. The event stays open
// until the message is sent.
export async function enqueue(reader) {
  const [binding, body] = [reader.string(), reader.string()];
  try {
    await getBinding(binding, "send").send(JSON.parse(body));
  } catch (err) {
    console.error(JSON.stringify({ level: "ERROR", msg: "sending a message to the queue failed", binding, error: String(err?.message || err) }));
  }
}

// getBinding returns the binding of a name and checks that it has a method.
function getBinding(name, method) {
  const binding = env[name];
  if (!binding?.[method]) throw new Error(`wrangler.toml: want a binding ${name} with the method ${method}`);
  return binding;
}

function statement(reader) {
  return bound(getBinding(reader.string(), "prepare"), reader);
}

// bound reads a statement: SQL, number of arguments, arguments.
function bound(database, reader) {
  const sql = reader.string();
  const args = [];
  for (let n = reader.number(); n > 0; n--) args.push(untagged(reader.string()));
  return database.prepare(sql).bind(...args);
}

// tagged returns a value as a field: its type, as in d1.go, and its text.
export function tagged(value) {
  if (typeof value === "string") return "s" + value;
  if (typeof value === "number") return (Number.isSafeInteger(value) ? "i" : "f") + value;
  if (value === null) return "n";
  throw new Error("D1 returned a value of an unsupported type: want text, a number or null");
}

function untagged(field) {
  if (field[0] === "s") return field.slice(1);
  if (field[0] === "n") return null;
  return Number(field.slice(1));
}
