// Orders at the simulator with wechatpay-axios-plugin, for sdk_test.go. Reads
// one JSON object from standard input and prints one.
import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import sdk from "wechatpay-axios-plugin";

const { Wechatpay, Formatter, Hash } = sdk;
const { baseURL, appid, mchid, key, openid, notifyURL, clientIP, ours } = JSON.parse(readFileSync(0, "utf8"));

// The SDK requires keys of APIv3 even if only APIv2 is used.
const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const client = (secret) => new Wechatpay({ mchid, serial: "merchant", privateKey, certs: { platform: publicKey }, secret, baseURL });

const order = {
  appid,
  mch_id: mchid,
  nonce_str: Formatter.nonce(),
  body: "山岚小铺 - 茶 & <点心>",
  out_trade_no: `node-${Date.now()}`,
  total_fee: 880,
  spbill_create_ip: clientIP,
  notify_url: notifyURL,
  trade_type: "JSAPI",
  openid,
};

const placed = await client(key).v2.pay.unifiedorder.post(order);
const queried = await client(key).v2.pay.orderquery.post({
  appid, mch_id: mchid, nonce_str: Formatter.nonce(), out_trade_no: order.out_trade_no,
});
const rejected = await client("0".repeat(32)).v2.pay.unifiedorder.post({ ...order, out_trade_no: `${order.out_trade_no}x` }).then(
  () => "nothing",
  (err) => JSON.stringify(err.response?.data ?? err.message),
);

const paySign = (p) => Hash.sign(p.signType, { appId: p.appId, timeStamp: p.timeStamp, nonceStr: p.nonceStr, package: p.package, signType: p.signType }, key);
const params = {
  appId: appid,
  timeStamp: `${Math.floor(Date.now() / 1000)}`,
  nonceStr: Formatter.nonce(),
  package: `prepay_id=${placed.data.prepay_id}`,
  signType: "MD5",
};
params.paySign = paySign(params);

console.log(JSON.stringify({ params, tradeState: queried.data.trade_state, rejectedWith: rejected, ourSignValid: paySign(ours) === ours.paySign }));
