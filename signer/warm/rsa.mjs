// RSASSA-PKCS1-v1_5 with SHA-256 for Go, by WebCrypto. Each call takes a Reader, which it must read
// before its first await. It returns the arguments of encode for the reply. The reply's first field
// is "" or an error.
const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };

// The keys that this isolate imported, by their fingerprints. A CryptoKey belongs to no
// request, so the next one can use it. It cannot be exported.
const keys = new Map();
const most = 16;

// sign signs: fingerprint, private key, text -> signature.
export async function sign(asked) {
  const [fingerprint, der, text] = [asked.string(), asked.bytes(), asked.bytes()];
  const key = await imported("pkcs8", fingerprint, der, "sign");
  if (!key) return [["key rejected"]];
  try {
    return [[""], new Uint8Array(await crypto.subtle.sign(algorithm, key, text))];
  } catch {
    return [["signing failed"]];
  }
}

// verify verifies: fingerprint, public key, text, signature -> 1 when it is right, else 0.
export async function verify(asked) {
  const [fingerprint, der, text, signature] = [asked.string(), asked.bytes(), asked.bytes(), asked.bytes()];
  const key = await imported("spki", fingerprint, der, "verify");
  if (!key) return [["key rejected"]];
  try {
    return [["", (await crypto.subtle.verify(algorithm, key, signature, text)) ? 1 : 0]];
  } catch {
    return [["verifying failed"]];
  }
}

// imported returns a key, null when the platform rejects it. The platform's text might quote the
// key. Two events may import the same key at once, because an event must not wait for the promise
// of another request.
async function imported(format, fingerprint, der, usage) {
  const name = `${format} ${fingerprint}`;
  let key = keys.get(name);
  if (!key) {
    try {
      key = await crypto.subtle.importKey(format, der, algorithm, false, [usage]);
    } catch {
      return null;
    }
  } else {
    keys.delete(name); // it becomes the newest
  }
  keys.set(name, key);
  if (keys.size > most) keys.delete(keys.keys().next().value);
  return key;
}
