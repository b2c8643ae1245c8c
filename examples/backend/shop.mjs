// A tiny shop: it makes orders through h5pay's API, sends the customer to their URL, learns of
// payments by a webhook, and refunds by API. docs/backend.md explains it.
//
//   npm install standardwebhooks
//   H5PAY_URL=http://localhost:8802 H5PAY_KEY=h5pay_... WEBHOOK_SECRET=whsec_... node shop.mjs
import { randomBytes, timingSafeEqual, createHash } from "node:crypto";
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

const { H5PAY_URL, H5PAY_KEY, WEBHOOK_SECRET = "", OPERATOR_TOKEN, PUBLIC_URL, ACCEPT_SIMULATED, PORT = "3000" } = process.env;
const price = 6800; // fen

if (!H5PAY_URL || !H5PAY_KEY || !/^whsec_[A-Za-z0-9+/]{32,86}={0,2}$/.test(WEBHOOK_SECRET)) {
  console.error("set H5PAY_URL, H5PAY_KEY and WEBHOOK_SECRET (whsec_ and the base64 of 24 to 64 bytes)");
  process.exit(1);
}
const verifier = new Webhook(WEBHOOK_SECRET);
const orders = new Map(); // by reference; yours are in a database

async function buy() {
  const order = { reference: randomBytes(10).toString("hex"), status: "new", refunded: 0 };
  orders.set(order.reference, order); // before the call: the webhook can come before the response
  const made = await call("/v1/orders", order.reference, {
    amount: price,
    description: "高山乌龙茶",
    reference: order.reference,
    return_url: PUBLIC_URL && `${PUBLIC_URL}/orders/${order.reference}`,
  });
  return [303, "", { Location: made.url }];
}

// handle processes a verified event once, however often it arrives.
function handle({ type, shop, simulated, data: { order: sold } }) {
  if (shop !== H5PAY_URL || (simulated && ACCEPT_SIMULATED !== "1")) {
    throw new Error(`the event is of another shop (${shop}), or simulated`);
  }
  const order = orders.get(sold.reference);
  if (!order) return; // another program's order
  if (sold.total !== price || sold.currency !== "CNY") throw new Error(`order ${order.reference} has another amount`);
  if (type === "order.paid" && order.status !== "paid") {
    order.status = "paid"; // also after order.closed: a late payment counts
    order.id = sold.id;
    console.log(`ship order ${order.reference}`); // in a real shop: in the transaction that marks the order as paid
  } else if (type === "order.closed" && order.status === "new") {
    order.status = "closed";
  } else if (type === "order.refunded") {
    order.refunded = Math.max(order.refunded, sold.refunded);
  }
}

function receive(headers, body) {
  try {
    handle(verifier.verify(body, headers)); // the received bytes, before a parser changes them
    return [204];
  } catch (err) {
    console.log(`webhook rejected: ${err.message}`);
    return [400, "rejected"]; // h5pay sends the event again later
  }
}

async function refund(reference, { authorization = "" }) {
  const hash = (text) => createHash("sha256").update(text).digest();
  if (!OPERATOR_TOKEN || !timingSafeEqual(hash(authorization), hash(`Bearer ${OPERATOR_TOKEN}`))) return [401, "send the operator's token"];
  const order = orders.get(reference);
  if (order?.status !== "paid") return [409, "no such paid order"];
  return [200, JSON.stringify(await call(`/v1/orders/${order.id}/refunds`, `refund-${reference}`, { reason: "退货" }))];
}

// call posts to h5pay. It repeats a call that got no response. With the same Idempotency-Key no
// call takes effect twice.
async function call(path, idempotencyKey, body) {
  let problem;
  for (let i = 0; i < 3; i++) {
    try {
      const response = await fetch(H5PAY_URL + path, {
        method: "POST",
        headers: { Authorization: `Bearer ${H5PAY_KEY}`, "Idempotency-Key": idempotencyKey, "Content-Type": "application/json" },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(10_000),
      });
      const answer = await response.json();
      if (response.status === 201) return answer;
      problem = `${response.status} ${answer.code} ${answer.message}`;
      if (response.status < 500) break;
    } catch (err) {
      problem = err.message;
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  throw new Error(`${path}: ${problem}`);
}

async function serve(request) {
  const chunks = [];
  for await (const chunk of request) {
    if (chunks.push(chunk) > 1000) return [413];
  }
  const { pathname } = new URL(request.url, "http://localhost");
  const [, reference, action] = /^\/orders\/([0-9a-f]{20})(\/refund)?$/.exec(pathname) ?? [];
  switch (`${request.method} ${reference ? `/orders${action ?? ""}` : pathname}`) {
    case "GET /":
      return [200, `<form method="post" action="/buy"><button>高山乌龙茶 ¥68.00</button></form>`, { "Content-Type": "text/html; charset=utf-8" }];
    case "POST /buy":
      return buy();
    case "POST /webhook":
      return receive(request.headers, Buffer.concat(chunks));
    case "GET /orders":
      return [200, JSON.stringify(orders.get(reference) ?? null)];
    case "POST /orders/refund":
      return refund(reference, request.headers);
  }
  return [404, "no such page"];
}

createServer(async (request, response) => {
  const [status, body, headers] = await serve(request).catch((err) => {
    console.error(err.message);
    return [502, "h5pay did not do it"];
  });
  response.writeHead(status, headers).end(body);
}).listen(Number(PORT), "localhost", () => console.log(`the shop is at http://localhost:${PORT}`));
