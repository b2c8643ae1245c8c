// Messages between Go and JavaScript: the bytes of the fields, then their lengths, then their
// number. Lengths and number are little-endian uint32. message.go is the other side. Encoding and
// decoding text is the main cost, so it is done once for all fields if they are ASCII, as most are.
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const nonASCII = /[^\x00-\x7f]/;

// Messages up to this size reuse the same memory.
const maxShared = 256 * 1024; // bytes
const shared = new DataView(new ArrayBuffer(maxShared));

// encode makes a message of strings and numbers, and optionally a Uint8Array as the last field. The
// result is valid until the next call of encode.
export function encode(fields, last) {
  const text = fields.join("");
  const count = fields.length + (last ? 1 : 0);
  const capacity = text.length * 3 + (last?.length ?? 0) + count * 4 + 4;
  const view = capacity <= maxShared ? shared : new DataView(new ArrayBuffer(capacity));
  const bytes = new Uint8Array(view.buffer);
  let at = encoder.encodeInto(text, bytes).written;
  const ascii = at === text.length;
  if (last) {
    bytes.set(last, at);
    at += last.length;
  }
  for (let i = 0; i < fields.length; i++, at += 4) {
    const field = String(fields[i]);
    view.setUint32(at, ascii || !nonASCII.test(field) ? field.length : encoder.encode(field).length, true);
  }
  if (last) {
    view.setUint32(at, last.length, true);
    at += 4;
  }
  view.setUint32(at, count, true);
  return bytes.subarray(0, at + 4);
}

// Reader reads the fields of a message in order. The message must not change meanwhile.
export class Reader {
  #bytes;
  #view;
  #at = 0; // of the next field
  #size; // the position of its length
  #end; // of the lengths
  #text; // all fields, if they are ASCII

  constructor(bytes) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#end = bytes.length - 4;
    this.#size = this.#end - 4 * this.#view.getUint32(this.#end, true);
    const text = decoder.decode(bytes.subarray(0, this.#size));
    if (text.length === this.#size) this.#text = text;
  }

  get done() {
    return this.#size >= this.#end;
  }

  string() {
    const at = this.#next();
    if (this.#text !== undefined) return this.#text.slice(at, this.#at);
    return decoder.decode(this.#bytes.subarray(at, this.#at));
  }

  number() {
    return Number(this.string());
  }

  // bytes returns a copy.
  bytes() {
    return this.#bytes.slice(this.#next(), this.#at);
  }

  // headers reads a count and that many pairs.
  headers() {
    const headers = new Headers();
    for (let n = this.number(); n > 0; n--) headers.append(this.string(), this.string());
    return headers;
  }

  // next advances to the next field and returns its start.
  #next() {
    const at = this.#at;
    this.#at += this.#view.getUint32(this.#size, true);
    this.#size += 4;
    return at;
  }
}

// flatten returns headers as their count and the pairs.
export function flatten(headers) {
  const fields = [0];
  headers.forEach((value, name) => fields.push(name, value));
  fields[0] = (fields.length - 1) / 2;
  return fields;
}
