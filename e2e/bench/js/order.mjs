// Baskets and orders. Amounts are fen, times Unix ms.
import { refuse } from "./refusal.mjs";

const encoder = new TextEncoder();

const maxQuantity = 99; // of one product
const maxItems = 20; // different products
const maxTotal = 100_000_000; // fen
const maxBody = 127; // bytes of what the payer reads
const lifetime = 24 * 60 * 60 * 1000; // ms in which an order can be paid
const prepayLifetime = 115 * 60 * 1000; // ms a prepay_id is used, WeChat's two hours less a margin

const badBasket = (problem) => refuse("bad_request", `the basket cannot be ordered: ${problem}`);

// newBasket merges the lines of a request into a Map from product to quantity.
export function newBasket(items) {
  const basket = new Map();
  for (const { product_id: id = "", quantity } of items) {
    if (!(quantity >= 1 && quantity <= maxQuantity)) throw badBasket(`quantities go from 1 to ${maxQuantity}`);
    if (!/^[\w-]{1,64}$/.test(id)) throw badBasket("malformed product_id");
    basket.set(id, (basket.get(id) ?? 0) + quantity);
    if (basket.size > maxItems) throw badBasket(`more than ${maxItems} different products`);
    if (basket.get(id) > maxQuantity) throw badBasket(`quantities go from 1 to ${maxQuantity}`);
  }
  if (!basket.size) throw badBasket("no items");
  return basket;
}

// fingerprint identifies what was asked for, whatever the order of the lines.
export async function fingerprint(basket, tradeType) {
  const lines = Array.from(basket, ([id, quantity]) => `${id} ${quantity}\n`).sort();
  const sum = await crypto.subtle.digest("SHA-256", encoder.encode(`${tradeType}\n${lines.join("")}`));
  return new Uint8Array(sum).toHex();
}

// draft prices a basket and fills in what does not depend on who asks.
export function draft(shop, basket, products) {
  const items = [];
  let total = 0;
  for (const [id, quantity] of basket) {
    const product = products.find((p) => p.id === id);
    if (!product) throw refuse("product_unavailable", "an item is not for sale");
    const { name, price } = product;
    if (!(price >= 1 && price <= maxTotal)) throw new Error(`pricing a basket: product ${id} has the price ${price}`);
    items.push({ product_id: id, name, price, quantity });
    total += price * quantity;
  }
  if (total > maxTotal) throw badBasket(`the total is over ${(maxTotal / 100).toFixed(2)}`);
  const now = Date.now();
  return {
    id: randomText("0123456789abcdefghijklmnopqrstuv"),
    out_trade_no: beijingTime(now).slice(0, 8) + randomText("0123456789ABCDEFGHIJKLMNOPQRSTUV"),
    appid: shop.appid,
    mch_id: shop.mchID,
    simulated: shop.simulated,
    items,
    total,
    currency: "CNY",
    shop_name: "", // sent for MWEB alone
    body: describe(shop.name, items),
    notify_url: `${shop.origin}/api/notify/pay`,
    created_at: now,
    expires_at: now + lifetime,
  };
}

// randomText returns 24 characters of an alphabet of 32.
function randomText(alphabet) {
  let text = "";
  for (const byte of crypto.getRandomValues(new Uint8Array(24))) text += alphabet[byte & 31];
  return text;
}

// describe returns what the payer reads on the payment sheet: "shop - item", or
// "shop - item 等3件" for more than one piece.
function describe(shopName, items) {
  const pieces = items.reduce((sum, { quantity }) => sum + quantity, 0);
  const tail = pieces > 1 ? ` 等${pieces}件` : "";
  // WeChat refuses control characters, line ends and characters of four bytes.
  const head = `${shopName} - ${items[0].name}`.replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]|[\u{10000}-\u{10ffff}]|\ufffd/gu, "");
  // encodeInto stops between two characters.
  const { read } = encoder.encodeInto(head, new Uint8Array(maxBody - encoder.encode(tail).length));
  return head.slice(0, read) + tail;
}

// publicOrder returns an order as its owner may see it.
export function publicOrder(o) {
  return {
    id: o.id,
    status: o.status,
    items: o.items,
    total: o.total,
    currency: o.currency,
    trade_type: o.trade_type,
    created_at: o.created_at,
    expires_at: o.expires_at,
    paid_at: o.paid_at || undefined,
    payment_no: o.transaction_id || undefined,
  };
}

// payUntil returns when an order's prepay_id is no longer used.
export const payUntil = (o) => Math.min(o.prepay_at + prepayLifetime, o.expires_at);

// prepayAlive reports whether an order has a prepay_id that can be used now.
export const prepayAlive = (o, now) => Boolean(o.prepay_id) && now < payUntil(o);

// beijingTime writes a time as WeChat does, in 14 digits.
export const beijingTime = (ms) => new Date(ms + 8 * 60 * 60 * 1000).toISOString().replace(/\D/g, "").slice(0, 14);

// parseBeijingTime reads 14 digits, NaN for what is no time.
export function parseBeijingTime(text) {
  const ms = Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/, "$1-$2-$3T$4:$5:$6+08:00"));
  // Date.parse takes the 30th of February.
  return ms >= 0 && beijingTime(ms) === text ? ms : NaN;
}
