// The session cookie, as the Go signer seals it: base64url of a nonce and of
// AES-256-GCM over {"expires", "value"}, with the cookie's name as additional
// data.
import { refuse } from "./refusal.mjs";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const nonceSize = 12; // bytes
const maxCookie = 4096; // bytes

// sessionOf returns {openid, ...} of the caller.
export async function sessionOf(request, shop) {
  for (const pair of (request.headers.get("Cookie") ?? "").split(";")) {
    const [name, value = ""] = pair.trim().split("=", 2);
    if (name !== shop.cookie || value.length > maxCookie) continue;
    const session = await open(value, shop);
    if (session?.openid) return session;
  }
  throw refuse("unauthenticated", "sign in first");
}

// open returns what a cookie holds, or null when this shop did not seal it or
// it is over.
async function open(text, { cookie, cookieKey }) {
  try {
    const sealed = Uint8Array.fromBase64(text, { alphabet: "base64url" });
    const gcm = { name: "AES-GCM", iv: sealed.subarray(0, nonceSize), additionalData: encoder.encode(cookie) };
    const plain = await crypto.subtle.decrypt(gcm, cookieKey, sealed.subarray(nonceSize));
    const { expires, value } = JSON.parse(decoder.decode(plain));
    return Date.now() < expires ? value : null;
  } catch {
    return null;
  }
}
