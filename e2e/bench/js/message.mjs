// WeChat's messages: flat XML, and its signature.

const encoder = new TextEncoder();
const utf8 = new TextDecoder("utf-8", { fatal: true }); // drops a byte order mark

const maxFields = 256; // a notification has about 25 and three more per coupon

// clean drops what XML does not carry unchanged, so that what is signed is what
// arrives.
export const clean = (text) => text.replace(/[\0-\x1f\x7f\ufffd-\uffff]/g, "");

// write makes a message of [name, value] pairs. Values go into CDATA, where all
// but its own end may stand.
export function write(fields) {
  let message = "<xml>";
  for (const [name, value] of fields) {
    message += `<${name}><![CDATA[${value.replaceAll("]]>", "]]]]><![CDATA[>")}]]></${name}>`;
  }
  return `${message}</xml>`;
}

// parse reads a message in bytes into a Map from field to text. Whatever two
// parsers could read differently is refused, in an Error that holds nothing of
// the message.
export function parse(bytes) {
  let text;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw malformed("not UTF-8");
  }
  if (/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/.test(text)) throw malformed("not well-formed");
  return new Parser(text.replace(/\r\n?/g, "\n")).message();
}

const malformed = (rule) => new Error(`malformed message: ${rule}`);

const declaration = /<\?xml\s+version\s*=\s*(?:"1\.0"|'1\.0')(?:\s+encoding\s*=\s*(?:"([^"]*)"|'([^']*)'))?[^?<>]*\?>/y;
const startTag = /<([\p{L}_][\p{L}\p{N}_.-]*)\s*(\/?)>/uy;
const space = /[ \t\n]*/y;
const endOfTag = /[ \t\n]*>/y;
const endOfRoot = /<\/xml[ \t\n]*>/y;

class Parser {
  #text;
  #at = 0;

  constructor(text) {
    this.#text = text;
  }

  message() {
    const declared = this.#take(declaration);
    const encoding = declared?.[1] ?? declared?.[2];
    if (encoding !== undefined && encoding.toLowerCase() !== "utf-8") throw malformed("encoding other than UTF-8");
    this.#take(space);
    const [, root, closed] = this.#take(startTag) ?? this.#fail();
    if (root !== "xml") throw malformed("element outside of the message");
    const fields = new Map();
    while (!closed) {
      this.#take(space);
      if (this.#take(endOfRoot)) break;
      if (fields.size === maxFields) throw malformed("more than 256 fields");
      const [, name, empty] = this.#take(startTag) ?? this.#fail();
      if (fields.has(name)) throw malformed("repeated element");
      fields.set(name, empty ? "" : this.#value(name));
    }
    this.#take(space);
    if (this.#take(startTag)) throw malformed("element outside of the message");
    if (this.#at < this.#text.length) this.#fail();
    return fields;
  }

  // value reads text and CDATA up to the end of the field.
  #value(name) {
    const text = this.#text;
    for (let value = ""; ; ) {
      const tag = text.indexOf("<", this.#at);
      if (tag < 0) throw malformed("incomplete");
      if (tag > this.#at) value += unescape(text.slice(this.#at, tag));
      this.#at = tag;
      if (text.startsWith("<![CDATA[", tag)) {
        const end = text.indexOf("]]>", tag);
        if (end < 0) throw malformed("not well-formed");
        value += text.slice(tag + "<![CDATA[".length, end);
        this.#at = end + "]]>".length;
      } else if (text.startsWith(`</${name}`, tag)) {
        this.#at += `</${name}`.length;
        this.#take(endOfTag) ?? this.#fail();
        return value;
      } else if (this.#take(startTag)) {
        throw malformed("nested element");
      } else {
        this.#fail();
      }
    }
  }

  // take matches a sticky expression here and moves behind it.
  #take(expression) {
    expression.lastIndex = this.#at;
    const match = expression.exec(this.#text);
    if (match) this.#at = expression.lastIndex;
    return match;
  }

  // fail names the rule that is broken here.
  #fail() {
    const rest = this.#text.slice(this.#at, this.#at + 64);
    if (rest === "") throw malformed("incomplete");
    if (rest.startsWith("<!--")) throw malformed("comment");
    if (rest.startsWith("<!DOCTYPE")) throw malformed("document type declaration");
    if (rest.startsWith("<?")) throw malformed("processing instruction");
    if (/^<[\p{L}_][^\s<>/]*\s+[^\s<>/]|^<[^\s<>/]+:/u.test(rest)) throw malformed("prefix or attribute");
    if (!rest.startsWith("<")) throw malformed("text outside of a field");
    throw malformed("not well-formed");
  }
}

const entities = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

// unescape reads text outside of CDATA.
function unescape(text) {
  if (text.includes("]]>")) throw malformed("not well-formed");
  if (!text.includes("&")) return text;
  return text.replace(/&(?:(lt|gt|amp|quot|apos);|#(\d{1,7});|#x([0-9a-fA-F]{1,6});|)/g, (_, name, decimal, hex) => {
    if (name) return entities[name];
    const code = decimal ? Number(decimal) : parseInt(hex, 16); // NaN for a lone &
    const character = code <= 0x10ffff ? String.fromCodePoint(code) : "";
    if (!/^[\t\n\r -\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]$/u.test(character)) throw malformed("not well-formed");
    return character;
  });
}

// sign returns the signature over [name, value] pairs in bytes
// (docs/wechat.md 3.1): every field but sign that has a value, sorted by name,
// as name=value joined by &, the key last.
async function sign({ apiKey, hmacKey }, fields, type) {
  let text = "";
  for (const [name, value] of [...fields].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (value !== "" && name !== "sign") text += `${name}=${value}&`;
  }
  const bytes = encoder.encode(`${text}key=${apiKey}`);
  // MD5 is no part of WebCrypto's standard; workerd has it for protocols like this.
  const sum = type === "MD5" ? crypto.subtle.digest("MD5", bytes) : crypto.subtle.sign("HMAC", hmacKey, bytes);
  return new Uint8Array(await sum);
}

// signed returns the signature in upper-case digits.
export async function signed(shop, fields) {
  return (await sign(shop, fields, shop.signType)).toHex().toUpperCase();
}

// verify reports whether a message is signed with our key. The length decides
// the algorithm, since sign_type is often missing.
export async function verify(shop, fields) {
  const given = fields.get("sign") ?? "";
  const type = { 32: "MD5", 64: "HMAC-SHA256" }[given.length];
  if (!type || /[^0-9a-f]/i.test(given)) return false;
  return crypto.subtle.timingSafeEqual(Uint8Array.fromHex(given), await sign(shop, fields, type));
}
