// A merchant's back end in its smallest form: it takes h5pay's webhooks, believes
// those that are signed, and fulfils each order once.
//
//   WEBHOOK_SECRET=... SHOP_URL=https://shop.example.com node examples/webhook/receiver.mjs
//
// With SHOP_URL, WECHAT_APPID or WECHAT_MCH_ID it rejects the events of others. With
// ACCEPT_SIMULATED=1 it accepts events of a simulated WeChat too, for tests.
//
// verify and check are what to copy. They use WebCrypto alone, which Node, Deno, Bun and
// Workers have. main.go beside it is the same in Go.
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

const encoder = new TextEncoder();

// verify returns when header, the value of H5pay-Signature, is a signature over
// body by one of the secrets, made no further than tolerance (seconds) from now
// (Unix ms), and throws otherwise. body is a Uint8Array of the bytes that came:
// what a parser makes of them and writes again is something else.
export async function verify(header, body, secrets, now = Date.now(), tolerance = 300) {
  let seconds;
  let signatures = [];
  for (const part of header && header.length <= 4096 ? header.split(",") : []) {
    const [, name, value] = /^([^=]*)=?(.*)$/s.exec(part);
    if (name === "t") {
      if (seconds !== undefined || !/^[0-9]+$/.test(value)) {
        signatures = [];
        break;
      }
      seconds = value;
    }
    if (name === "v1" && /^[0-9a-f]{64}$/i.test(value)) {
      signatures.push(Uint8Array.from(value.match(/../g), (byte) => parseInt(byte, 16)));
    }
  }
  if (seconds === undefined || signatures.length === 0) throw new Error("webhook: no signature, or none of a known version");

  const signed = new Uint8Array([...encoder.encode(seconds + "."), ...body]);
  let valid = false;
  for (const secret of secrets) {
    const raw = encoder.encode(secret);
    if (raw.length < 32) throw new Error("webhook: a secret has less than 32 bytes");
    const key = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    // Once for each secret: a header of strangers may have 59 signatures.
    const want = new Uint8Array(await crypto.subtle.sign("HMAC", key, signed));
    for (const signature of signatures) {
      let differing = 0; // of all bytes, so that the time tells nothing
      for (let i = 0; i < want.length; i++) differing |= want[i] ^ signature[i];
      if (differing === 0) valid = true;
    }
  }
  if (!valid) throw new Error("webhook: the signature is not by this secret over this body");
  // The time counts only now that it is known to be the sender's.
  if (!(Math.abs(now / 1000 - Number(seconds)) <= tolerance)) throw new Error("webhook: the signature is too old, or from the future");
}

// check throws when an event with a valid signature is not for this receiver: when
// a simulator took the place of WeChat, unless expected.simulated, or when it is not
// of expected.shop, expected.appid or expected.mchID. What is not given is not
// checked.
export function check(event, { shop, appid, mchID, simulated = false } = {}) {
  if (event.simulated && !simulated) throw new Error("webhook: the event is of a simulated WeChat: no money was paid");
  if (shop && event.shop !== shop) throw new Error("webhook: the event is of another shop");
  if (appid && event.appid !== appid) throw new Error("webhook: the event is of another appid");
  if (mchID && event.mch_id !== mchID) throw new Error("webhook: the event is of another mch_id");
}

// Ids of the events that are done; yours is a unique column, written together
// with what the event causes.
const done = new Set();

function handle({ type, data: { order, refund } }) {
  switch (type) {
    case "order.paid":
      console.log(`ship order ${order.id}: ${order.total} fen paid by ${order.transaction_id}`);
      break;
    case "order.refunded":
      console.log(`refund ${refund.id} of order ${order.id}: ${refund.amount} fen, ${order.refunded} of ${order.total} in all`);
      break;
    case "order.closed":
      console.log(`release the stock of order ${order.id}`);
      break;
  }
}

async function receive(request, secrets, expected) {
  if (request.method !== "POST" || request.url !== "/h5pay") return 404;
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > 1 << 20) return 413;
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  let event;
  try {
    await verify(request.headers["h5pay-signature"], body, secrets);
    event = JSON.parse(body.toString("utf8"));
    check(event, expected);
  } catch (err) {
    console.log("refused:", err.message);
    return 400;
  }
  if (done.has(event.id)) {
    console.log("again:", event.id);
  } else {
    handle(event);
    done.add(event.id);
  }
  return 204; // only now: what is not acknowledged comes again
}

// When it is run, not imported.
if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  // While the secret is being changed both count: docs/webhooks.md.
  const secrets = [process.env.WEBHOOK_SECRET, process.env.WEBHOOK_SECRET_OLD].filter(Boolean);
  if (!process.env.WEBHOOK_SECRET || secrets.some((secret) => encoder.encode(secret).length < 32)) {
    console.error("WEBHOOK_SECRET needs at least 32 characters, the same as the shop's");
    process.exit(1);
  }
  const { SHOP_URL, WECHAT_APPID, WECHAT_MCH_ID, ACCEPT_SIMULATED } = process.env;
  const expected = { shop: SHOP_URL, appid: WECHAT_APPID, mchID: WECHAT_MCH_ID, simulated: ACCEPT_SIMULATED === "1" };
  const server = createServer(async (request, response) => {
    const status = await receive(request, secrets, expected).catch((err) => {
      console.error(err);
      return 500;
    });
    response.writeHead(status).end();
  });
  server.listen(Number(process.env.PORT || 0), "localhost", () => {
    const { address, family, port } = server.address();
    console.log(`receiver listens at http://${family === "IPv6" ? `[${address}]` : address}:${port}/h5pay`);
  });
}
