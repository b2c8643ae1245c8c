// A merchant's back end in its smallest form: it receives h5pay's webhooks, verifies
// their signatures, and fulfils each order once.
//
//   npm install standardwebhooks
//   WEBHOOK_SECRET=whsec_... SHOP_URL=https://shop.example.com node receiver.mjs
//
// With SHOP_URL, WECHAT_APPID or WECHAT_MCH_ID it rejects the events of others. With
// ACCEPT_SIMULATED=1 it accepts events of a simulated WeChat too, for tests.
//
// main.go in the same folder does the same in Go.
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

const { PORT = "", SHOP_URL, WECHAT_APPID, WECHAT_MCH_ID, ACCEPT_SIMULATED } = process.env;

// While the secret is being changed both are valid: docs/webhooks.md.
const webhooks = ["WEBHOOK_SECRET", "WEBHOOK_SECRET_OLD"].flatMap((name) => {
  const secret = process.env[name] ?? "";
  if (!secret && name === "WEBHOOK_SECRET_OLD") return [];
  // The library accepts every key that is not empty.
  const [, text = ""] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? [];
  const key = Buffer.from(text, "base64");
  if (key.length < 24 || key.length > 64 || key.toString("base64") !== text) {
    end(`${name} must be whsec_ and the base64 of 24 to 64 bytes, the same as the shop's`);
  }
  return [new Webhook(secret)];
});

// verify returns the event of a delivery that one of the secrets signed, and throws
// otherwise. It needs the original bytes of the body.
function verify(headers, body) {
  let failure;
  for (const webhook of webhooks) {
    try {
      return webhook.verify(body, headers);
    } catch (err) {
      failure = err;
    }
  }
  throw failure;
}

// check throws when an event is not for this back end.
function check(event) {
  if (event.simulated && ACCEPT_SIMULATED !== "1") throw new Error("the event is of a simulated WeChat: no money was paid");
  if (SHOP_URL && event.shop !== SHOP_URL) throw new Error("the event is of another shop");
  if (WECHAT_APPID && event.appid !== WECHAT_APPID) throw new Error("the event is of another appid");
  if (WECHAT_MCH_ID && event.mch_id !== WECHAT_MCH_ID) throw new Error("the event is of another mch_id");
}

// Ids of the events that are done. Use a unique column instead, and write it together with
// the effects of the event.
const done = new Set();

function handle({ type, data: { order, payment, refund } }) {
  switch (type) {
    case "order.paid":
      console.log(`ship order ${order.id}: ${order.total} fen paid by ${payment.transaction_id}`);
      break;
    case "order.refunded":
      console.log(`refund ${refund.id} of order ${order.id}: ${refund.amount} fen, ${order.refunded} of ${order.total} in all`);
      break;
    case "order.closed":
      console.log(`release the stock of order ${order.id}`);
      break;
    case "payment.duplicate":
      console.log(`order ${order.id} was paid twice: ${refund.amount} fen go back by themselves`);
      break;
  }
}

async function receive(request) {
  if (request.method !== "POST" || request.url !== "/h5pay") return 404;
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > 1 << 20) return 413;
    chunks.push(chunk);
  }
  let event;
  try {
    event = verify(request.headers, Buffer.concat(chunks));
    check(event);
  } catch (err) {
    console.log("rejected:", err.message);
    return 400;
  }
  if (done.has(event.id)) {
    console.log("again:", event.id);
  } else {
    handle(event);
    done.add(event.id);
  }
  return 204; // last, because h5pay repeats an event that is not acknowledged
}

function end(problem) {
  console.error(problem);
  process.exit(1);
}

if (!/^\d{0,5}$/.test(PORT) || Number(PORT) > 65535) end("PORT must be a number from 0 to 65535");
const server = createServer(async (request, response) => {
  const status = await receive(request).catch((err) => {
    console.error(err);
    return 500;
  });
  response.writeHead(status).end();
});
server.on("error", (err) => end(`PORT: ${err.message}`));
server.listen(Number(PORT), "localhost", () => {
  const { address, family, port } = server.address();
  console.log(`receiver listens at http://${family === "IPv6" ? `[${address}]` : address}:${port}/h5pay`);
});
