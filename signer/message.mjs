// Messages between Go and JavaScript: fields one after the other, each its
// length in bytes as a little-endian uint32 and its bytes. warm/message.go is
// the other side.
const encoder = new TextEncoder();
const decoder = new TextDecoder();

// encode makes a message of strings, numbers and Uint8Arrays.
export function encode(fields) {
  let most = 0;
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i];
    if (typeof field === "number") fields[i] = String(field);
    most += 4 + (typeof field === "object" ? field.length : fields[i].length * 3);
  }
  const bytes = new Uint8Array(most);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const field of fields) {
    let size;
    if (typeof field === "string") {
      size = encoder.encodeInto(field, bytes.subarray(at + 4)).written;
    } else {
      size = field.length;
      bytes.set(field, at + 4);
    }
    view.setUint32(at, size, true);
    at += 4 + size;
  }
  return bytes.subarray(0, at);
}

// Reader takes the fields of a message one by one.
export class Reader {
  #bytes;
  #view;
  #at = 0;

  constructor(bytes) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get done() {
    return this.#at >= this.#bytes.length;
  }

  bytes() {
    const size = this.#view.getUint32(this.#at, true);
    this.#at += 4 + size;
    return this.#bytes.subarray(this.#at - size, this.#at);
  }

  string() {
    return decoder.decode(this.bytes());
  }

  number() {
    return Number(this.string());
  }

  // headers reads a count and as many pairs.
  headers() {
    const headers = new Headers();
    for (let n = this.number(); n > 0; n--) headers.append(this.string(), this.string());
    return headers;
  }
}

// flatten lists headers as their count and the pairs.
export function flatten(headers) {
  const fields = [0];
  headers.forEach((value, name) => fields.push(name, value));
  fields[0] = (fields.length - 1) / 2;
  return fields;
}
