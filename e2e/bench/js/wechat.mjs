// The calls of WeChat's merchant API, version 2, and its notification.
import { readWhole } from "./body.mjs";
import { clean, parse, signed, verify, write } from "./message.mjs";
import { beijingTime, parseBeijingTime } from "./order.mjs";

const maxMessage = 64 * 1024; // bytes
const prepayTimeout = 8000; // ms, the page waits
const queryTimeout = 5000; // ms

// WeChatError is a failed call. Its kind is "retry" when the same call again may
// do, "operator" when a setting is wrong, "untrusted" when the message is not
// WeChat's, and "refused". It holds no secret, openid, URL or body.
export class WeChatError extends Error {
  constructor(op, kind, message, code = "") {
    super(`${op}: ${message}${code && ` (${code})`}`);
    this.kind = kind;
    this.code = code;
  }
}

// TradeRefused is why a trade is not this shop's business. The text is safe to
// show to whoever holds the key.
export class TradeRefused extends Error {}

// unifiedOrder asks WeChat to take an order and returns the prepay_id. The same
// order may be sent again, unchanged, as long as it is unpaid.
export async function unifiedOrder(shop, order) {
  const op = "unifiedorder";
  const reply = await call(shop, op, prepayTimeout, [
    ["device_info", "WEB"],
    ["body", order.body],
    ["out_trade_no", order.out_trade_no],
    ["fee_type", "CNY"],
    ["total_fee", String(order.total)],
    ["spbill_create_ip", order.client_ip],
    ["time_start", beijingTime(order.created_at)],
    ["time_expire", beijingTime(order.expires_at)],
    ["notify_url", order.notify_url],
    ["trade_type", order.trade_type],
    ["openid", order.owner],
  ]);
  if (reply.get("trade_type") !== order.trade_type) throw new WeChatError(op, "untrusted", "the answer has another trade_type");
  const prepayID = reply.get("prepay_id") ?? "";
  // An "&" would change the signed text.
  if (!/^[!-%'-~]{1,118}$/.test(prepayID)) throw new WeChatError(op, "untrusted", "the answer has nothing to pay with");
  return prepayID;
}

// queryOrder asks WeChat where an order stands.
export async function queryOrder(shop, outTradeNo, timeout = queryTimeout) {
  const op = "orderquery";
  const reply = await call(shop, op, timeout, [["out_trade_no", outTradeNo]]);
  const trade = readTrade(op, reply, reply.get("trade_state"));
  if (trade.outTradeNo !== outTradeNo) throw new WeChatError(op, "untrusted", "the answer is about another order");
  return trade;
}

// payParams signs what the page hands to WeixinJSBridge, as the order was.
export async function payParams(shop, prepayID) {
  const params = {
    appId: shop.appid,
    timeStamp: String(Math.floor(Date.now() / 1000)),
    nonceStr: nonce(),
    package: `prepay_id=${prepayID}`,
    signType: shop.signType,
  };
  return { ...params, paySign: await signed(shop, Object.entries(params)) };
}

// parsePayment reads a payment notification in bytes and checks its signature
// and that it is for this account. The rest is settle's to check.
export async function parsePayment(shop, body) {
  const op = "notification";
  const untrusted = (message) => new WeChatError(op, "untrusted", message);
  let fields;
  try {
    fields = parse(body);
  } catch (err) {
    throw untrusted(`the message cannot be read: ${err.message}`);
  }
  if (fields.get("return_code") !== "SUCCESS") throw untrusted("return_code is not SUCCESS");
  if (!(await verify(shop, fields))) throw untrusted("not signed with the API key");
  if (!isMine(shop, fields, false)) throw untrusted("for another account");
  const state = { SUCCESS: "SUCCESS", FAIL: "PAYERROR" }[fields.get("result_code")];
  if (!state) throw untrusted("the message has no result_code");
  // Only orderquery has trade_state: one of its signed replies, for an unpaid
  // order, would otherwise pass for a notification.
  if ((fields.get("trade_state") || state) !== state) throw untrusted("trade_state contradicts result_code");
  const downgraded = shop.signType !== "MD5" && fields.get("sign").length === 32;
  return { ...readTrade(op, fields, state), downgraded };
}

// readTrade reads what orderquery and the notification share. What comes after
// state is there only when the order was paid.
function readTrade(op, fields, state) {
  const untrusted = (message) => new WeChatError(op, "untrusted", message);
  const trade = { appid: fields.get("appid"), mchID: fields.get("mch_id"), outTradeNo: fields.get("out_trade_no") ?? "", state };
  if (!/^[\w-]{6,32}$/.test(trade.outTradeNo)) throw untrusted("the message has no out_trade_no of ours");
  if (!state) throw untrusted("the message has no trade_state");
  if (state !== "SUCCESS" && state !== "REFUND") return trade;
  const fee = fields.get("total_fee") ?? "";
  if (!/^\d{1,10}$/.test(fee)) throw untrusted("total_fee is not a number of fen");
  const paidAt = parseBeijingTime(fields.get("time_end") ?? "");
  if (Number.isNaN(paidAt)) throw untrusted("time_end is no time");
  const transactionID = fields.get("transaction_id");
  if (!transactionID) throw untrusted("the message has no transaction_id");
  const openid = fields.get("openid") ?? "";
  return { ...trade, totalFee: Number(fee), paidAt, transactionID, openid, currency: fields.get("fee_type") || "CNY" };
}

// call signs fields, sends them, and returns the fields of the answer once it is
// known to be WeChat's, about this account, and a success. It retries nothing.
async function call(shop, op, timeout, fields) {
  const sent = [["appid", shop.appid], ["mch_id", shop.mchID], ["nonce_str", nonce()], ["sign_type", shop.signType], ...fields]
    .map(([name, value]) => [name, clean(value)])
    .filter(([, value]) => value !== "");
  sent.push(["sign", await signed(shop, sent)]);
  const body = await exchange(op, `${shop.baseURL}/pay/${op}`, timeout, write(sent));
  // Gateways in front of WeChat answer HTML, or nothing, with status 200.
  const start = new TextDecoder().decode(body.subarray(0, 512)).trimStart();
  if (!start.startsWith("<") || !start.includes("<xml")) throw new WeChatError(op, "retry", "the answer is no message");
  let answer;
  try {
    answer = parse(body);
  } catch (err) {
    throw new WeChatError(op, "untrusted", `the answer cannot be read: ${err.message}`);
  }
  await check(shop, op, answer);
  return answer;
}

async function exchange(op, url, timeout, body) {
  let answer;
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "text/xml; charset=utf-8", Accept: "*/*", "User-Agent": "h5pay" },
      body,
      redirect: "manual",
      signal: AbortSignal.timeout(timeout),
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      // WeChat itself answers 200 always; what refuses is somebody else.
      const wrong = response.status >= 300 && response.status < 500 && response.status !== 408 && response.status !== 429;
      throw new WeChatError(op, wrong ? "operator" : "retry", `HTTP status ${response.status}`);
    }
    answer = await readWhole(response, maxMessage);
  } catch (err) {
    if (err instanceof WeChatError) throw err;
    // Not its text, which can hold the URL.
    throw new WeChatError(op, "retry", err.name === "TimeoutError" ? "no answer: deadline exceeded" : "no answer");
  }
  if (!answer) throw new WeChatError(op, "untrusted", "the answer is longer than 64 KiB");
  return answer;
}

// check is what every answer goes through (docs/wechat.md 2.5, 3.3).
async function check(shop, op, answer) {
  const text = reason(answer);
  if (answer.get("return_code") !== "SUCCESS") {
    if (!failed(answer)) throw new WeChatError(op, "untrusted", "the answer has no return_code");
    // Often unsigned: good for "failed" and nothing more. The error has no code,
    // even if the answer has one: callers act on codes.
    throw new WeChatError(op, textKind(text), `WeChat answered FAIL: ${wording(text)}`);
  }
  let result = answer.get("result_code");
  if (!result && (answer.get("err_code") || answer.get("err_code_des"))) result = "FAIL";
  if (!(await verify(shop, answer))) {
    throw new WeChatError(op, "untrusted", `the answer is not signed with the API key${text && `: ${wording(text)}`}`);
  }
  if (!isMine(shop, answer, result === "FAIL")) throw new WeChatError(op, "untrusted", "the answer is about another account");
  if (result === "SUCCESS") return;
  if (result !== "FAIL") throw new WeChatError(op, "untrusted", "the answer has no result_code");
  const code = answer.get("err_code") ?? "";
  const shown = /^[A-Z0-9_]{1,32}$/.test(code) ? code : "";
  throw new WeChatError(op, payKinds[code] ?? (code ? "refused" : textKind(text)), `WeChat refused: ${wording(text)}`, shown);
}

// failed tells whether an answer says that the call failed before WeChat looked at
// the order.
function failed(answer) {
  const code = answer.get("return_code");
  if (code) return code === "FAIL";
  const odd = (answer.get("retcode") ?? "") + (answer.get("ret_code") ?? "");
  return /[^0]/.test(odd) && odd !== "SUCCESS";
}

// reason returns WeChat's words for a failure, under whatever name they come.
function reason(answer) {
  const texts = ["err_code_des", "return_msg", "retmsg", "ret_msg", "error_message"].map((name) => answer.get(name));
  return [...new Set(texts)].filter((text) => text && text !== "OK").join("; ");
}

// isMine tells whether a message is about this account. A refusal, which the
// signature proves to be for this merchant, may leave that out.
function isMine({ appid, mchID }, fields, absentOK) {
  const agrees = (name, own) => (fields.get(name) ?? "") === own || (absentOK && !fields.get(name));
  return agrees("appid", appid) && agrees("mch_id", mchID);
}

const payKinds = Object.fromEntries([
  ...["SYSTEMERROR", "BIZERR_NEED_RETRY", "FREQUENCY_LIMITED", "RATELIMIT_EXCEEDED"].map((code) => [code, "retry"]),
  ...["NOAUTH", "APPID_NOT_EXIST", "MCHID_NOT_EXIST", "APPID_MCHID_NOT_MATCH", "SIGNERROR"].map((code) => [code, "operator"]),
  ...["XML_FORMAT_ERROR", "POST_DATA_EMPTY", "REQUIRE_POST_METHOD", "NOT_UTF8"].map((code) => [code, "operator"]),
]);

// textKind reads the words of a failure that has no code, or an unknown one.
function textKind(text) {
  if (/system ?error|系统错误|系统繁忙|系统超时|频率|频繁/i.test(text)) return "retry";
  return /签名|appid|mch_?id|商户号|权限|未开通|证书|certificate/i.test(text) ? "operator" : "refused";
}

// wording prepares WeChat's own words for a log: long runs of letters and
// digits, which may be an openid or a key, are masked.
const wording = (text) => clean(text).replace(/[\w-]{20,}/g, "***").slice(0, 100);

// nonce returns 32 random letters and digits.
function nonce() {
  const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  for (let text = ""; ; ) {
    for (const byte of crypto.getRandomValues(new Uint8Array(48))) {
      // 248 is the last multiple of 62: no letter is likelier.
      if (byte < 248) text += alphabet[byte % 62];
      if (text.length === 32) return text;
    }
  }
}
