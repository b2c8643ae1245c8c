// The signer as one would write it by hand in JavaScript: what the benchmark
// compares the Go one with. It makes and settles orders, with the same checks,
// the same statements in D1, the same messages to WeChat and the same log.
// Signing in is left to the Go signer, whose session cookies it opens; so is
// everything that the benchmark does not do: guests, QR codes and H5, amounts
// that the payer names, giving an order up.
//
// Nothing but the platform: WebCrypto, fetch, D1. No build step. WebCrypto and
// not node:crypto, because on workerd it is as fast or faster, its promises
// included, and its keys are made once and cannot be read again.
//
// Where it is not the Go signer: names in JSON are told apart by case and 1.0 is
// a quantity, as in JSON.parse; answers do not escape <, > and &; an order as it
// was stored is sent to WeChat without a second look at its fields.
import { readJSON, readWhole, maxBody } from "./body.mjs";
import { checkout, confirmPayment, NotConfirmed, notSelling, refresh } from "./payment.mjs";
import { draft, fingerprint, newBasket, publicOrder } from "./order.mjs";
import { logger, logChange, mask } from "./log.mjs";
import { openShop } from "./shop.mjs";
import { refuse, Refusal, statuses } from "./refusal.mjs";
import { sessionOf } from "./session.mjs";
import { Store } from "./store.mjs";
import { parsePayment, TradeRefused, WeChatError } from "./wechat.mjs";
import { write } from "./message.mjs";

// The settings and keys, read by the first request of the isolate.
let shop;

export default {
  async fetch(request, env, ctx) {
    const answered = answer(request, env);
    // Money is moving: finish even when the caller has hung up.
    ctx.waitUntil(answered);
    return answered;
  },
};

async function answer(request, env) {
  const id = requestID();
  const log = logger({ request_id: id });
  const path = new URL(request.url).pathname;
  let response;
  try {
    shop ??= await openShop(env);
    response = await route({ request, path, shop, log, store: new Store(env.DB) });
  } catch (err) {
    response = failure(err, request, path, id, log);
  }
  response.headers.set("X-Request-Id", id);
  response.headers.set("Cache-Control", "no-store");
  response.headers.set("X-Content-Type-Options", "nosniff");
  response.headers.set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
  response.headers.set("Strict-Transport-Security", "max-age=31536000");
  return response;
}

function route(call) {
  const { request, path } = call;
  checkOrigin(call);
  switch (request.method) {
    case "POST":
      if (path === "/api/orders") return createOrder(call);
      if (path === "/api/notify/pay") return notifyPay(call);
      break;
    case "GET": {
      const id = path.match(/^\/api\/orders\/([^/]+)$/)?.[1];
      if (id) return getOrder(call, id);
    }
  }
  throw refuse("not_found", "no such path");
}

// createOrder prices a basket, stores the order and only then tells WeChat, so
// that no notification can arrive for an order nobody knows.
async function createOrder(call) {
  const { request, shop } = call;
  const { openid } = await sessionOf(request, shop);
  const { items = [], trade_type = "", client_key = "" } = await readJSON(request, orderShape);
  if (trade_type !== "JSAPI") throw refuse("bad_request", "this shop does not take that trade_type");
  if (!/^[\w-]{16,64}$/.test(client_key)) {
    throw refuse("bad_request", "client_key needs 16 to 64 letters, digits, '-' or '_'");
  }
  const wanted = { basket: newBasket(items), owner: openid, client_key, trade_type, client_ip: clientIP(request) };
  const selling = shop.selling && (await call.store.selling());
  const { order, pay, payUntil } = await checkout(call, await place(call, wanted, selling), selling);
  return json(200, { order: publicOrder(order), pay: pay ?? undefined, pay_until: payUntil });
}

const isText = (value) => typeof value === "string";
const itemShape = { product_id: isText, quantity: Number.isInteger };
const orderShape = { items: [itemShape], trade_type: isText, client_key: isText };

// place stores a new order, or finds the one that the same client_key made
// before: at the prices of that time, and even if an item has gone since.
async function place({ shop, store, log }, { basket, ...asked }, selling) {
  const print = await fingerprint(basket, asked.trade_type);
  if (!selling) {
    const earlier = await store.byClientKey(asked.owner, asked.client_key);
    if (earlier) return repeated(earlier, print);
    throw notSelling();
  }
  let order;
  try {
    order = { ...draft(shop, basket, await store.productsOf(basket)), ...asked, fingerprint: print };
  } catch (err) {
    const earlier = await store.byClientKey(asked.owner, asked.client_key).catch(() => null);
    if (earlier) return repeated(earlier, print);
    throw err;
  }
  const stored = await store.insert(order);
  if (stored.id !== order.id) return repeated(stored, print);
  logChange(log, { ...order, status: "" }, "created", "page", { total: order.total, owner: mask(order.owner) });
  return stored;
}

function repeated(order, print) {
  if (order.fingerprint !== print) throw refuse("conflict", "client_key was used for another order");
  return order;
}

// getOrder returns an order as WeChat sees it now: one that may still be paid
// is asked for there.
async function getOrder(call, id) {
  const { openid } = await sessionOf(call.request, call.shop);
  const order = /^[0-9a-v]{24}$/.test(id) && (await call.store.get(id, openid));
  if (!order) throw refuse("not_found", "no such order");
  const latest = await refresh(call, order);
  return json(200, { ...publicOrder(latest), timeline: await call.store.timeline(id) });
}

// notifyPay takes WeChat's payment notifications. It answers SUCCESS for a payment
// that is confirmed and settled, now or before, and FAIL for everything else; WeChat
// repeats the notification.
async function notifyPay(call) {
  const { request, shop, log } = call;
  const body = await readWhole(request, maxBody);
  if (!body) {
    log.error("notification refused", { reason: "the body is over 64 KiB" });
    return xml(413, "FAIL", "body");
  }
  let trade;
  try {
    trade = await parsePayment(shop, body);
  } catch (err) {
    if (!(err instanceof WeChatError)) throw err;
    // Not the body: it may be anything at all.
    log.error("notification refused", { error: err.message });
    return xml(200, "FAIL", "not a valid notification");
  }
  const about = log.with({ source: "notify", out_trade_no: trade.outTradeNo });
  if (trade.downgraded) about.warn("a notification is signed with MD5 though WECHAT_SIGN_TYPE is HMAC-SHA256");
  try {
    await confirmPayment(call, trade);
  } catch (err) {
    if (err instanceof TradeRefused) return xml(200, "FAIL", err.message);
    if (err instanceof WeChatError || err instanceof NotConfirmed) {
      about.warn("a notification could not be confirmed", { error: err.message });
      return xml(503, "FAIL", "try again");
    }
    about.error("settling a notification failed", { error: err.message });
    return xml(500, "FAIL", "try again");
  }
  return xml(200, "SUCCESS", "OK");
}

// checkOrigin refuses changing calls that another site's page makes. WeChat's
// notifications are proved by their signature instead.
function checkOrigin({ request, path, shop }) {
  if (["GET", "HEAD", "OPTIONS"].includes(request.method) || path === "/api/notify/pay") return;
  const origin = request.headers.get("Origin");
  const site = request.headers.get("Sec-Fetch-Site") || "none";
  if (origin === null ? site === "none" || site === "same-origin" : origin === shop.origin) return;
  throw refuse("forbidden_origin", "the Origin is not this shop's");
}

// failure answers with an error. What is not a Refusal is our fault: the caller
// learns nothing, the log all of it.
function failure(err, { method }, path, id, log) {
  if (!(err instanceof Refusal)) {
    log.error("request failed", { method, path, error: err.message });
    err = refuse("internal", "the signer failed");
  }
  const { code, message, cause } = err;
  if (code === "misconfigured") log.error("the shop is misconfigured", { error: cause });
  // The Go signer writes this line, and that of a bad notification, once a minute.
  if (code === "forbidden_origin") log.warn("a call of another site's page is rejected", { path });
  return json(statuses[code], { code, message, request_id: id });
}

function json(status, value) {
  return new Response(JSON.stringify(value), { status, headers: { "Content-Type": "application/json; charset=utf-8" } });
}

function xml(status, code, message) {
  const body = write([["return_code", code], ["return_msg", message]]);
  return new Response(body, { status, headers: { "Content-Type": "text/xml; charset=utf-8" } });
}

// requestID returns 80 random bits in 16 lower-case letters and digits.
function requestID() {
  let id = "";
  for (const byte of crypto.getRandomValues(new Uint8Array(16))) id += "abcdefghijklmnopqrstuvwxyz234567"[byte & 31];
  return id;
}

// clientIP returns the payer's address for spbill_create_ip. Cloudflare's edge
// sets the header; a client cannot. Local runs have none, and WeChat asks for
// some address.
function clientIP(request) {
  const address = (request.headers.get("CF-Connecting-IP") ?? "").replace(/^::ffff:(?=\d+\.)/i, "");
  return /^(\d{1,3}\.){3}\d{1,3}$|^[0-9a-f:]*:[0-9a-f:.]*$/i.test(address) ? address : "127.0.0.1";
}
