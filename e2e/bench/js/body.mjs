// Bodies: whole, capped, and in JSON that has one reading only.
import { refuse } from "./refusal.mjs";

export const maxBody = 64 * 1024; // bytes of a request

const maxDrained = 16 * 1024 * 1024; // bytes read of a body that is too long

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

// readWhole returns the body of a Request or a Response in bytes, or null when
// it has more than max of them. It reads on to the end of what is longer, up to
// a point, so that the sender hears the answer.
export async function readWhole(message, max) {
  if (!message.body) return new Uint8Array(0);
  const length = message.headers.get("Content-Length");
  // Of a compressed answer the length is another one.
  if (length !== null && Number(length) <= max && !message.headers.has("Content-Encoding")) {
    return new Uint8Array(await message.arrayBuffer());
  }
  const chunks = [];
  let size = 0;
  for await (const chunk of message.body) {
    size += chunk.length;
    if (size <= max) chunks.push(chunk);
    if (size > maxDrained) break;
  }
  if (size > max) return null;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

// readJSON reads one JSON object of this shape: a function that knows a good
// value for each field, [shape] for a list. Fields may be missing. Unknown and
// repeated ones are refused, they hide mistakes.
export async function readJSON(request, shape) {
  const [type, ...parameters] = (request.headers.get("Content-Type") ?? "").split(";").map((s) => s.trim().toLowerCase());
  if (type !== "application/json") throw refuse("unsupported_content", "the body must be application/json");
  const charset = parameters.find((p) => p.startsWith("charset="));
  if (charset && !/^charset="?utf-8"?$/.test(charset)) throw refuse("unsupported_content", "the body must be in UTF-8");
  const body = await readWhole(request, maxBody);
  if (!body) throw refuse("body_too_large", "the body is over 64 KiB");
  if (!body.length) throw refuse("bad_request", "the body is empty");
  let text, value;
  try {
    text = utf8.decode(body);
  } catch {
    throw refuse("bad_request", "the body is not UTF-8");
  }
  try {
    value = JSON.parse(text);
  } catch {
    throw refuse("bad_request", "the body is not JSON");
  }
  if (!isObject(value)) throw refuse("bad_request", "the body is not a JSON object");
  if (hasRepeatedName(text)) throw refuse("bad_request", "a field is repeated");
  if (!fits(value, shape)) throw refuse("bad_request", "a field of the body is unknown or has the wrong type");
  return value;
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

function fits(value, shape) {
  if (typeof shape === "function") return shape(value);
  if (Array.isArray(shape)) return Array.isArray(value) && value.every((element) => fits(element, shape[0]));
  return isObject(value) && Object.keys(value).every((name) => Object.hasOwn(shape, name) && fits(value[name], shape[name]));
}

// hasRepeatedName looks for an object with one name twice, of which JSON.parse
// keeps the last. The text is known to be JSON: a string before a colon is a
// name.
function hasRepeatedName(text) {
  const open = []; // the names of each object around here
  for (const [token, name] of text.matchAll(/[{}]|("(?:[^"\\]|\\.)*")(?:\s*:)?/g)) {
    if (token === "{") open.push(new Set());
    else if (token === "}") open.pop();
    else if (token.endsWith(":")) {
      const names = open.at(-1);
      if (names.size === names.add(JSON.parse(name)).size) return true;
    }
  }
  return false;
}
