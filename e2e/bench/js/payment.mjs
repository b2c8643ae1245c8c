// What becomes of an order: its way to WeChat, and the news from there.
import { logChange } from "./log.mjs";
import { payUntil, prepayAlive } from "./order.mjs";
import { refuse } from "./refusal.mjs";
import { payParams, queryOrder, TradeRefused, unifiedOrder, WeChatError } from "./wechat.mjs";

const minPrepay = 6 * 60 * 1000; // ms an order must have left; WeChat wants five minutes
const queryWindow = 3000; // ms between two queries of one order
const expiryGrace = 60 * 1000; // ms in which a payment begun in time may still end

const wasPaid = (status) => status === "paid" || status === "refunding" || status === "refunded";

const notPayable = () => refuse("order_not_payable", "the order is closed, refused or too old");

export const notSelling = () => refuse("not_selling", "the operator has stopped selling, try again later");

// checkout brings an order to where the page can pay it: {order, pay, payUntil},
// with pay null when it is paid.
export async function checkout(call, order, selling) {
  const now = Date.now();
  if (wasPaid(order.status)) return { order, pay: null };
  if ((order.status !== "created" && order.status !== "pending") || now >= order.expires_at || !order.client_ip) throw notPayable();
  if (!selling) throw notSelling();
  if (prepayAlive(order, now)) {
    const pay = await payParams(call.shop, order.prepay_id);
    // The page has to sign as unifiedorder was signed.
    if (pay.signType !== order.sign_type) throw notPayable();
    return { order, pay, payUntil: payUntil(order) };
  }
  if (order.expires_at - now < minPrepay) throw notPayable();
  return prepay(call, order);
}

// prepay asks WeChat to take the order. The call is the same to the letter
// whatever the order went through before.
async function prepay(call, order) {
  const { shop, store, log } = call;
  let prepayID;
  try {
    prepayID = await unifiedOrder(shop, order);
  } catch (err) {
    if (err instanceof WeChatError) return prepayFailed(call, order, err);
    throw err;
  }
  const pay = await payParams(shop, prepayID);
  const now = Date.now();
  // False when it was paid, closed or refused while WeChat answered.
  if (!(await store.setPrepay(order.id, prepayID, pay.signType, now))) return reload(call, order);
  logChange(log, order, "pending", "prepay");
  return { order: { ...order, status: "pending" }, pay, payUntil: payUntil({ ...order, prepay_at: now }) };
}

// prepayFailed decides what becomes of an order that WeChat did not take.
async function prepayFailed(call, order, err) {
  const { store } = call;
  const log = call.log.with({ order: order.id, out_trade_no: order.out_trade_no });
  if (err.code === "ORDERPAID") {
    try {
      await query(call, order, "prepay");
    } catch (cause) {
      log.error("an order that WeChat calls paid could not be settled", { error: cause.message });
      throw refuse("wechat_unavailable", "WeChat calls the order paid, ask again");
    }
    return reload(call, order);
  }
  if (err.code === "ORDERCLOSED") {
    if (await store.close(order.id, Date.now())) logChange(call.log, order, "closed", "prepay");
    return reload(call, order);
  }
  if (err.kind === "retry" || err.kind === "untrusted") {
    // WeChat may have it or not. It is sent again unchanged when the page
    // retries.
    log.warn("WeChat did not answer an order", { error: err.message });
    throw refuse("wechat_unavailable", "WeChat did not answer, try again");
  }
  if (err.kind === "operator" || !err.code) {
    // Not the order's fault: it can be paid once the setting is right.
    log.error("WeChat refused the shop", { error: err.message });
    await store.noteFailure(order.id, err.code || "FAIL", Date.now());
    throw refuse("wechat_refused", "WeChat refused the shop");
  }
  log.error("WeChat refused an order", { error: err.message });
  if (await store.fail(order.id, err.code, Date.now())) {
    logChange(call.log, order, "failed", "prepay");
  } else {
    // Pending: the prepay_id it has may still be paid.
    await store.noteFailure(order.id, err.code, Date.now());
  }
  throw refuse("wechat_refused", "WeChat refused the order");
}

// reload returns an order that was just changed by somebody else. It never goes
// to WeChat.
async function reload({ store }, { id, owner }) {
  const order = await store.get(id, owner);
  if (wasPaid(order?.status)) return { order, pay: null };
  if (order?.status === "created" || order?.status === "pending") {
    throw refuse("wechat_unavailable", "WeChat has not settled the order yet, ask again");
  }
  throw notPayable();
}

const confirmTimeout = 3000; // ms for the query that confirms a notification, and for duplicates to wait
const confirmWindow = 1000; // ms between two of these queries about one order
const confirmLag = 60 * 1000; // ms after a payment in which WeChat may still say NOTPAY

// NotConfirmed is thrown for a payment that WeChat does not confirm now. WeChat
// repeats the notification.
export class NotConfirmed extends Error {
  constructor() {
    super("WeChat does not confirm the payment yet");
  }
}

// confirmPayment settles a payment that a notification tells of, by what WeChat
// says when it is queried: the signature proves only that the sender has the API
// key. A notification that differs from the order costs no query, nor does one of
// an order that is paid. Duplicates wait for the query of the first.
export async function confirmPayment(call, told) {
  const { shop, store } = call;
  if (told.state !== "SUCCESS") return settle(call, told, "notify");
  if (!(await store.claimTold(told, confirmWindow, Date.now()))) return awaitPayment(call, told);
  const refuseTold = (why) => withOrder(call, told, "notify", () => { throw new TradeRefused(why); });
  let got;
  try {
    got = await queryOrder(shop, told.outTradeNo, confirmTimeout);
  } catch (err) {
    if (err.code === "ORDERNOTEXIST") return refuseTold("WeChat does not know the order");
    if (err instanceof WeChatError) err.message = `confirming a payment: ${err.message}`;
    throw err;
  }
  await settle(call, got, "notify");
  if (got.state !== "SUCCESS" && got.state !== "REFUND") {
    if (got.state === "NOTPAY" && Math.abs(Date.now() - told.paidAt) <= confirmLag) throw new NotConfirmed();
    return refuseTold("WeChat does not confirm the payment");
  }
  if (got.transactionID !== told.transactionID) return refuseTold("WeChat names another transaction");
}

// awaitPayment is confirmPayment for a notification that caused no query.
async function awaitPayment(call, told) {
  for (let look = 50, waited = 0; ; look = Math.min(2 * look, 1000)) {
    try {
      return await withOrder(call, told, "notify", (order) => {
        sameAccount(order, told);
        samePayment(order, told);
        if (!wasPaid(order.status)) throw new NotConfirmed();
        if (order.transaction_id !== told.transactionID) throw new TradeRefused("the order is paid by another transaction");
      });
    } catch (err) {
      if (!(err instanceof NotConfirmed) || waited >= confirmTimeout) throw err;
    }
    await new Promise((resolve) => setTimeout(resolve, look));
    waited += look;
  }
}

// settle is the only way an order becomes paid: by a trade that WeChat itself
// told of, signature checked, that agrees with the order in appid, merchant,
// amount and currency. It may be called any number of times with one trade.
// TradeRefused means that nothing was changed and an operator has to look.
export async function settle(call, trade, source) {
  await withOrder(call, trade, source, (order, log) => apply(call.store, log, order, { ...trade, simulated: call.shop.simulated }, source));
  if (trade.state === "REFUND") call.log.warn("trade has a refund that was not made here", { transaction_id: trade.transactionID });
}

// withOrder runs act with the order of a trade. A refusal is logged.
async function withOrder({ store, log }, trade, source, act) {
  log = log.with({ source, out_trade_no: trade.outTradeNo });
  const order = await store.byOutTradeNo(trade.outTradeNo);
  if (!order) {
    log.error("trade refused", { reason: "unknown order" });
    throw new TradeRefused("unknown order");
  }
  log = log.with({ order: order.id });
  const { state, transactionID: transaction_id = "" } = trade;
  try {
    return await act(order, log);
  } catch (err) {
    if (err instanceof TradeRefused) {
      const { totalFee: trade_total = 0, currency = "" } = trade;
      log.error("trade refused", { reason: err.message, state, transaction_id, order_total: order.total, trade_total, currency });
    }
    throw err;
  }
}

function sameAccount(order, trade) {
  if (trade.appid !== order.appid) throw new TradeRefused("appid differs");
  if (trade.mchID !== order.mch_id) throw new TradeRefused("mch_id differs");
}

function samePayment(order, { totalFee, currency }) {
  if (totalFee !== order.total) throw new TradeRefused("amount differs");
  if (currency !== order.currency) throw new TradeRefused("currency differs");
}

async function apply(store, log, order, trade, source) {
  sameAccount(order, trade);
  switch (trade.state) {
    case "SUCCESS":
    case "REFUND": // refunded means that it was paid
      return applyPaid(store, log, order, trade, source);
    case "CLOSED":
    case "REVOKED":
      if (await store.close(order.id, Date.now())) logChange(log, order, "closed", source);
      return;
    case "NOTPAY":
    case "USERPAYING":
    case "ACCEPT":
    case "PAYERROR":
      return; // nothing final for an order that can be paid again
  }
  throw new TradeRefused("unknown trade state");
}

async function applyPaid(store, log, order, trade, source) {
  samePayment(order, trade);
  const { transactionID, paidAt, openid: payer = "", simulated } = trade;
  if (await store.pay(order.id, { transactionID, paidAt, payer, source, simulated }, Date.now())) {
    logChange(log, order, "paid", source, { transaction_id: transactionID, total: order.total });
    return;
  }
  const now = await store.byOutTradeNo(order.out_trade_no);
  if (!wasPaid(now?.status)) throw new TradeRefused("the transaction belongs to another order");
  if (now.transaction_id !== transactionID) throw new TradeRefused("the order is paid by another transaction");
  // Told before.
}

// refresh asks WeChat about an order that may have been paid without our
// knowing, once per window. What goes wrong is logged.
export async function refresh(call, order) {
  const { store } = call;
  const now = Date.now();
  if (!["created", "pending", "closing"].includes(order.status) || now < Math.max(order.queried_at, order.prepay_at) + queryWindow) return order;
  const log = call.log.with({ order: order.id });
  try {
    if (!(await store.claimQuery(order.id, queryWindow, now))) return order;
  } catch (err) {
    log.error("claiming a query failed", { error: err.message });
    return order;
  }
  try {
    await query(call, order, "poll");
  } catch (err) {
    if (!(err instanceof TradeRefused)) log.warn("asking WeChat about an order failed", { error: err.message });
  }
  return (await store.get(order.id, order.owner)) ?? order;
}

// query asks WeChat about an order and settles the answer. One that WeChat holds
// unpaid past its time_expire, or does not know, is closed.
async function query(call, order, source) {
  const trade = await queryOrder(call.shop, order.out_trade_no).catch((err) => {
    if (err.code === "ORDERNOTEXIST") return null;
    throw err;
  });
  if (trade) await settle(call, trade, source);
  if ((!trade || trade.state === "NOTPAY") && Date.now() >= order.expires_at + expiryGrace) {
    if (await call.store.close(order.id, Date.now())) logChange(call.log, order, "closed", source);
  }
}
