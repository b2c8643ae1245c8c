// The handlers that the benchmark measures, by hand in JavaScript: the shop's configuration, an
// order, its payment parameters, and the payment notification. Up to a successful result they do
// the same work as the Go signer: the same checks, statements in D1, messages to WeChat, signatures
// and log lines. They do nothing else, so they are a lower bound of the cost of these requests on
// this platform.
//
// They are not a signer. Every failure is one line in the log and a status without a body.
// They open the session cookies of the Go signer. They have no sign-in, polling, repeated
// orders, guests, QR codes, H5, refunds, or meanings of WeChat's error codes.
const encoder = new TextEncoder();
const utf8 = new TextDecoder("utf-8", { fatal: true });
const maxBody = 64 * 1024; // bytes

// A Failure is answered with its status.
class Failure extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const check = (ok, status, message) => {
  if (!ok) throw new Failure(status, message);
};

let shop; // the settings and keys, read by the first request of the isolate

export default {
  fetch(request, env, ctx) {
    const answered = answer(request, env);
    ctx.waitUntil(answered); // finish the payment even if the caller has disconnected
    return answered;
  },
};

async function answer(request, env) {
  const id = random(16, "0123456789abcdefghijklmnopqrstuv");
  const log = (level, msg, more) => console.log(JSON.stringify({ time: new Date(), level, msg, request_id: id, ...more }));
  let response;
  try {
    shop ??= await openShop(env);
    const call = { request, log, run: (statement, ...values) => env.DB.prepare(statement).bind(...values) };
    const path = `${request.method} ${new URL(request.url).pathname}`;
    call.id = /^POST \/api\/orders\/([0-9a-v]{24})\/pay$/.exec(path)?.[1];
    const handler = call.id ? payOrder : { "GET /api/config": getConfig, "POST /api/orders": createOrder, "POST /api/notify/pay": notifyPay }[path];
    check(handler, 404, "no such path");
    response = await handler(call);
  } catch (err) {
    log("ERROR", "request failed", { error: err.message });
    response = xml(err.status ?? 500, "FAIL", "try again");
  }
  response.headers.set("X-Request-Id", id);
  response.headers.set("Cache-Control", "no-store");
  response.headers.set("X-Content-Type-Options", "nosniff");
  response.headers.set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
  response.headers.set("Strict-Transport-Security", "max-age=31536000");
  return response;
}

async function openShop(env) {
  const { origin, protocol } = new URL(env.SHOP_URL);
  const cookie = protocol === "https:" ? "__Host-h5pay_session" : "h5pay_session";
  const master = await crypto.subtle.importKey("raw", encoder.encode(env.SESSION_KEY), "HKDF", false, ["deriveKey"]);
  const hkdf = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info: encoder.encode(`h5pay cookie h5pay_session ${env.WECHAT_APPID}`) };
  return {
    name: env.SHOP_NAME, origin, cookie, appid: env.WECHAT_APPID, mchID: env.WECHAT_MCH_ID, signType: env.WECHAT_SIGN_TYPE,
    scope: env.OAUTH_SCOPE || "snsapi_base", tradeTypes: (env.TRADE_TYPES || "JSAPI").split(","),
    baseURL: env.WECHAT_BASE_URL, simulated: 1, apiKey: env.WECHAT_API_KEY,
    hmacKey: await crypto.subtle.importKey("raw", encoder.encode(env.WECHAT_API_KEY), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]),
    cookieKey: await crypto.subtle.deriveKey(hkdf, master, { name: "AES-GCM", length: 256 }, false, ["decrypt"]),
  };
}

// getConfig returns the shop's configuration, the page's first call.
function getConfig() {
  return json({ appid: shop.appid, shop_name: shop.name, scope: shop.scope, trade_types: shop.tradeTypes, currency: "CNY" });
}

// ---------------------------------------------------------------------------
// order and payment
// ---------------------------------------------------------------------------

// createOrder prices a basket and stores the order. WeChat receives it when payOrder is
// called.
async function createOrder({ request, log, run }) {
  check((request.headers.get("Origin") ?? shop.origin) === shop.origin, 403, "the Origin is not this shop's");
  const owner = await openidOf(request);
  const { basket, client_key } = readOrder(await readWhole(request));
  const lines = Array.from(basket, ([id, quantity]) => `${id} ${quantity}\n`).sort();
  const fingerprint = new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(lines.join("")))).toHex();
  const { selling } = await run(`SELECT COALESCE(MAX(value), 1) AS selling FROM switches WHERE name = 'selling'`).first();
  check(selling === 1, 503, "the operator has stopped selling");
  const marks = Array(basket.size).fill("?").join(", ");
  const { results: products } = await run(`SELECT id, name, detail, image, price FROM products WHERE for_sale = 1 AND id IN (${marks})`, ...basket.keys()).all();
  const items = Array.from(basket, ([id, quantity]) => {
    const product = products.find((p) => p.id === id);
    check(product, 409, "an item is not for sale");
    return { product_id: id, name: product.name, price: product.price, quantity };
  });
  const total = items.reduce((sum, { price, quantity }) => sum + price * quantity, 0);
  check(Number.isSafeInteger(total) && total >= 1 && total <= 100_000_000, 400, "the total is out of range");

  const now = Date.now();
  const expires = now + 24 * 60 * 60 * 1000;
  const id = random(24, "0123456789abcdefghijklmnopqrstuv");
  const pieces = items.reduce((sum, { quantity }) => sum + quantity, 0);
  const body = shorten(`${shop.name} - ${items[0].name}`, pieces > 1 ? ` 等${pieces}件` : "");
  const stored = await run(
    `INSERT INTO orders (id, source, owner, guest, client_key, fingerprint, shop, appid, mch_id, items,
			total, currency, description, created_at, expires_at, status, updated_at, due_at, simulated)
		VALUES (?, 'shop', ?, 0, ?, ?, ?, ?, ?, ?, ?, 'CNY', ?, ?, ?, 'open', ?, ?, ?)
		ON CONFLICT DO NOTHING`,
    id, owner, client_key, fingerprint, shop.origin, shop.appid, shop.mchID, JSON.stringify(items), total, body, now, expires, now, expires + 60_000, shop.simulated,
  ).run();
  check(stored.meta.changes > 0, 409, "client_key was used before");
  log("INFO", "order open", { order: id, to: "open", source: "page", made_by: "shop", total, owner: `${owner.slice(0, 4)}…${owner.slice(-4)}` });
  return json({ id, status: "open", items, total, currency: "CNY", created_at: now, expires_at: expires });
}

// payOrder stores a payment of the order, sends it to WeChat, and returns the order with
// its payment parameters.
async function payOrder({ id, request, log, run }) {
  check((request.headers.get("Origin") ?? shop.origin) === shop.origin, 403, "the Origin is not this shop's");
  const owner = await openidOf(request);
  check(utf8.decode(await readWhole(request)).trim() === '{"trade_types":["JSAPI"]}', 400, "the body is not as the benchmark's");
  const o = await run(
    `SELECT items, total, description, mch_id, created_at, expires_at, status,
		(SELECT COUNT(*) FROM payments WHERE order_id = orders.id AND payments.status IN ('created', 'pending', 'closing')) AS live FROM orders WHERE id = ? AND owner = ?`,
    id, owner,
  ).first();
  check(o, 404, "no such order");
  const { selling } = await run(`SELECT COALESCE(MAX(value), 1) AS selling FROM switches WHERE name = 'selling'`).first();
  check(selling === 1, 503, "the operator has stopped selling");
  const now = Date.now();
  check(o.status === "open" && o.live === 0 && o.mch_id === shop.mchID && o.expires_at - now >= 6 * 60 * 1000, 409, "the order cannot be paid here");
  const number = beijingTime(now).slice(0, 8) + random(24, "0123456789ABCDEFGHIJKLMNOPQRSTUV");
  const address = request.headers.get("CF-Connecting-IP") ?? "127.0.0.1";
  const notify = `${shop.origin}/api/notify/pay`;
  const stored = await run(
    `INSERT INTO payments (out_trade_no, order_id, guest, appid, mch_id, api_version, trade_type, openid, own, total, currency, shop_name, body,
			client_ip, notify_url, created_at, expires_at, status, due_at, simulated, updated_at)
		SELECT ?1, id, guest, ?2, ?3, 'v2', 'JSAPI', ?4, IIF(owner = ?4, 1, 0), total, currency, '', description, ?5, ?6, ?7, expires_at, 'created', ?7 + ?8, ?9, ?7
		FROM orders WHERE id = ?10 AND status = 'open' AND created_at <= ?7
		AND NOT EXISTS (SELECT 1 FROM payments WHERE order_id = ?10 AND trade_type = 'JSAPI' AND openid = ?4 AND status IN ('created', 'pending'))
		AND ?11 > (SELECT COUNT(*) FROM payments WHERE order_id = ?10 AND status IN ('created', 'pending', 'closing'))
		AND ?12 > (SELECT COUNT(*) FROM payments WHERE order_id = ?10)
		ON CONFLICT DO NOTHING`,
    number, shop.appid, shop.mchID, owner, address, notify, now, 60_000, shop.simulated, id, 4, 20,
  ).run();
  check(stored.meta.changes > 0, 409, "another request has begun a payment");
  const line = { order: id, out_trade_no: number };
  log("INFO", "payment created", { ...line, from: "", to: "created", source: "page", trade_type: "JSAPI", total: o.total });

  const reply = await callWeChat("unifiedorder", 8000, [
    ["device_info", "WEB"], ["body", o.description], ["out_trade_no", number], ["fee_type", "CNY"], ["total_fee", String(o.total)], ["spbill_create_ip", address],
    ["time_start", beijingTime(now)], ["time_expire", beijingTime(o.expires_at)], ["notify_url", notify], ["trade_type", "JSAPI"], ["openid", owner],
  ]);
  const prepayID = reply.get("prepay_id") ?? "";
  check(reply.get("trade_type") === "JSAPI" && /^[!-%'-~]{1,118}$/.test(prepayID), 503, "unifiedorder: the response has nothing to pay with");
  const pay = { appId: shop.appid, timeStamp: String(Math.floor(Date.now() / 1000)), nonceStr: nonce(), package: `prepay_id=${prepayID}`, signType: shop.signType };
  pay.paySign = (await sign(Object.entries(pay), shop.signType)).toHex().toUpperCase();
  const at = Date.now();
  const pending = await run(
    `UPDATE payments SET status = ?, updated_at = MAX(updated_at, ?), prepay_id = ?, prepay_at = ?, pay_url = ?, sign_type = ?, failure = NULL, claimed_until = NULL WHERE out_trade_no = ? AND status IN (?, ?) AND claimed_until IS ?`,
    "pending", at, prepayID, at, "", shop.signType, number, "created", "pending", null,
  ).run();
  check(pending.meta.changes > 0, 503, "the payment was changed meanwhile");
  log("INFO", "payment pending", { ...line, from: "created", to: "pending", source: "prepay" });
  const order = { id, status: "open", items: JSON.parse(o.items), total: o.total, currency: "CNY", trade_type: "JSAPI", created_at: o.created_at, expires_at: o.expires_at };
  return json({ order, pay, pay_until: Math.min(at + 115 * 60 * 1000, o.expires_at) });
}

// readOrder reads and validates the body of createOrder.
function readOrder(bytes) {
  let order;
  try {
    order = JSON.parse(utf8.decode(bytes));
  } catch {
    throw new Failure(400, "the body is not JSON");
  }
  const only = (value, ...names) => value !== null && typeof value === "object" && Object.keys(value).every((name) => names.includes(name));
  check(only(order, "items", "client_key") && Array.isArray(order.items), 400, "a field is unknown or wrong");
  check(/^[\w-]{16,64}$/.test(order.client_key), 400, "client_key needs 16 to 64 letters, digits, '-' or '_'");
  const basket = new Map();
  for (const item of order.items) {
    check(only(item, "product_id", "quantity") && /^[\w-]{1,64}$/.test(item.product_id) && Number.isInteger(item.quantity) && item.quantity >= 1, 400, "malformed item");
    basket.set(item.product_id, (basket.get(item.product_id) ?? 0) + item.quantity);
    check(basket.size <= 20 && basket.get(item.product_id) <= 99, 400, "too much");
  }
  check(basket.size > 0, 400, "no items");
  return { basket, client_key: order.client_key };
}

// openidOf opens the session cookie: base64url of a nonce and of AES-256-GCM over
// {"expires", "value"}, with the cookie's name as additional data.
async function openidOf(request) {
  const value = (request.headers.get("Cookie") ?? "").split("; ").find((pair) => pair.startsWith(`${shop.cookie}=`))?.slice(shop.cookie.length + 1);
  try {
    const sealed = Uint8Array.fromBase64(value, { alphabet: "base64url" });
    const gcm = { name: "AES-GCM", iv: sealed.subarray(0, 12), additionalData: encoder.encode(shop.cookie) };
    const { expires, value: session } = JSON.parse(utf8.decode(await crypto.subtle.decrypt(gcm, shop.cookieKey, sealed.subarray(12))));
    if (Date.now() < expires && session.openid) return session.openid;
  } catch {
    // Not sealed by this shop.
  }
  throw new Failure(401, "sign in first");
}

// shorten cuts head so that it has 127 bytes with tail, and removes the characters that WeChat
// declines.
function shorten(head, tail) {
  const text = head.replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]|[\u{10000}-\u{10ffff}]|\ufffd/gu, "");
  const { read } = encoder.encodeInto(text, new Uint8Array(127 - encoder.encode(tail).length)); // stops between two characters
  return text.slice(0, read) + tail;
}

// ---------------------------------------------------------------------------
// notification
// ---------------------------------------------------------------------------

// notifyPay settles a payment by WeChat's response to a query: the notification proves
// only that its sender has the API key.
async function notifyPay({ request, log, run }) {
  const told = await verified("notification", parse(utf8.decode(await readWhole(request))));
  check(!told.get("trade_state"), 400, "notification: it has a trade_state");
  const about = readTrade(told);
  const now = Date.now();
  const claimed = await run(
    `UPDATE payments SET notified_at = ?, queried_at = ?
		WHERE out_trade_no = ? AND transaction_id IS NULL AND api_version = 'v2' AND appid = ? AND mch_id = ? AND total = ? AND currency = ?
		AND (notified_at IS NULL OR notified_at <= ?)`,
    now, now, about.number, shop.appid, shop.mchID, about.total, about.currency, now - 1000,
  ).run();
  if (claimed.meta.changes > 0) {
    const reply = await callWeChat("orderquery", 3000, [["out_trade_no", about.number]]);
    const trade = readTrade(reply);
    check(reply.get("trade_state") === "SUCCESS" && trade.number === about.number && trade.transaction === about.transaction, 503, "WeChat does not confirm the payment");
    const payment = await byNumber(run, trade.number);
    check(payment && trade.total === payment.total && trade.currency === payment.currency && payment.appid === shop.appid && payment.mch_id === shop.mchID, 500, "the trade differs from the payment");
    const at = Date.now();
    const paid = await run(
      `UPDATE payments SET status = ?, updated_at = MAX(updated_at, ?), due_at = NULL, client_ip = '', transaction_id = ?, paid_at = ?,
			payer = IIF((trade_type = 'JSAPI' AND openid = '' OR EXISTS (SELECT 1 FROM orders WHERE id = order_id AND owner LIKE 'erased:%')), '', NULLIF(?, '')),
			settled_by = ?, settled_at = MAX(updated_at, ?), simulated = MAX(simulated, ?)
		WHERE out_trade_no = ? AND status IN (?, ?, ?, ?, ?) AND transaction_id IS NULL AND NOT EXISTS (SELECT 1 FROM payments AS other WHERE other.transaction_id = ?)`,
      "paid", at, trade.transaction, trade.paidAt, trade.openid, "notify", at, shop.simulated, trade.number, "created", "pending", "closing", "closed", "failed", trade.transaction,
    ).run();
    check(paid.meta.changes > 0, 503, "the payment was not changed");
    const line = { order: payment.order_id, out_trade_no: trade.number, from: payment.status, to: "paid", source: "notify" };
    log("INFO", "payment paid", { ...line, transaction_id: trade.transaction, total: payment.total });
  } else {
    const payment = await byNumber(run, about.number);
    check(payment && payment.transaction_id === about.transaction && payment.total === about.total, 503, "the notification differs from the payment, or another is at work");
  }
  return xml(200, "SUCCESS", "OK");
}

const byNumber = (run, number) => run(`SELECT order_id, status, appid, mch_id, total, currency, transaction_id FROM payments WHERE out_trade_no = ?`, number).first();

// readTrade reads the fields that orderquery and the notification share.
function readTrade(fields) {
  const text = (name) => fields.get(name) ?? "";
  const time = text("time_end").replace(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/, "$1-$2-$3T$4:$5:$6+08:00");
  const trade = {
    number: text("out_trade_no"), total: Number(text("total_fee")), currency: text("fee_type") || "CNY",
    transaction: text("transaction_id"), openid: text("openid"), paidAt: Date.parse(time),
  };
  check(/^[\w-]{6,32}$/.test(trade.number) && /^\d{1,10}$/.test(text("total_fee")) && trade.transaction, 400, "a trade lacks a field");
  check(trade.paidAt >= 0 && beijingTime(trade.paidAt) === text("time_end"), 400, "time_end is no time");
  return trade;
}

// ---------------------------------------------------------------------------
// WeChat: flat XML, and its signature (docs/wechat.md 3.1)
// ---------------------------------------------------------------------------

async function callWeChat(op, timeout, fields) {
  const sent = [["appid", shop.appid], ["mch_id", shop.mchID], ["nonce_str", nonce()], ["sign_type", shop.signType], ...fields];
  sent.push(["sign", (await sign(sent, shop.signType)).toHex().toUpperCase()]);
  const response = await fetch(`${shop.baseURL}/pay/${op}`, {
    method: "POST", headers: { "Content-Type": "text/xml; charset=utf-8", Accept: "*/*", "User-Agent": "h5pay" }, body: write(sent), redirect: "manual", signal: AbortSignal.timeout(timeout),
  });
  check(response.status === 200, 503, `${op}: HTTP status ${response.status}`);
  return verified(op, parse(utf8.decode(await readWhole(response))));
}

// verified returns a message that WeChat signed, about this account, that succeeded.
async function verified(op, fields) {
  const given = fields.get("sign") ?? "";
  const type = { 32: "MD5", 64: "HMAC-SHA256" }[given.length]; // sign_type is often missing
  const valid = type && !/[^0-9a-f]/i.test(given) && crypto.subtle.timingSafeEqual(Uint8Array.fromHex(given), await sign(fields, type));
  check(valid, 400, `${op}: not signed with the API key`);
  check(fields.get("appid") === shop.appid && fields.get("mch_id") === shop.mchID, 400, `${op}: about another account`);
  check(fields.get("return_code") === "SUCCESS" && fields.get("result_code") === "SUCCESS", 503, `${op}: WeChat declined it`);
  return fields;
}

async function sign(fields, type) {
  let text = "";
  for (const [name, value] of [...fields].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (value !== "" && name !== "sign") text += `${name}=${value}&`;
  }
  const bytes = encoder.encode(`${text}key=${shop.apiKey}`);
  return new Uint8Array(await (type === "MD5" ? crypto.subtle.digest("MD5", bytes) : crypto.subtle.sign("HMAC", shop.hmacKey, bytes)));
}

const write = (fields) => `<xml>${fields.map(([name, value]) => `<${name}><![CDATA[${value.replaceAll("]]>", "]]]]><![CDATA[>")}]]></${name}>`).join("")}</xml>`;

// parse reads fields of text or one CDATA section, each once, and rejects all else.
function parse(text) {
  const fields = new Map();
  const message = /^\s*<xml>(.*)<\/xml>\s*$/s.exec(text);
  check(message, 400, "not a message");
  const field = /\s*<([A-Za-z_][\w-]*)>(?:<!\[CDATA\[(.*?)\]\]>|([^<&]*))<\/\1>\s*/sy;
  for (let at = 0; at < message[1].length; at = field.lastIndex) {
    field.lastIndex = at;
    const [, name, data, plain] = field.exec(message[1]) ?? [];
    check(name && !fields.has(name) && fields.size < 256, 400, "malformed message");
    fields.set(name, data ?? plain);
  }
  return fields;
}

// readWhole reads a body to its end even if it is too long, so that the sender receives the response.
async function readWhole(message) {
  const bytes = new Uint8Array(await message.arrayBuffer());
  check(bytes.length <= maxBody, 413, "the body is over 64 KiB");
  return bytes;
}

const json = (value) => new Response(JSON.stringify(value), { headers: { "Content-Type": "application/json; charset=utf-8" } });

const xml = (status, code, message) =>
  new Response(write([["return_code", code], ["return_msg", message]]), { status, headers: { "Content-Type": "text/xml; charset=utf-8" } });

// beijingTime writes a time as WeChat does, in 14 digits.
const beijingTime = (ms) => new Date(ms + 8 * 60 * 60 * 1000).toISOString().replace(/\D/g, "").slice(0, 14);

// random returns n characters of an alphabet of 32.
const random = (n, alphabet) => Array.from(crypto.getRandomValues(new Uint8Array(n)), (byte) => alphabet[byte & 31]).join("");

const nonce = () => random(32, "0123456789ABCDEFGHIJKLMNOPQRSTUV");
