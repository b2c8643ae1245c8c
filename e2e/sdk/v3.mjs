// A journey at the simulator by APIv3 with the Node SDKs, for v3node_test.go: it
// creates, queries, closes and refunds orders, downloads a bill and verifies
// callbacks. Reads one JSON object from standard input and prints one.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import tls from "node:tls";

const input = JSON.parse(readFileSync(0, "utf8"));
const { keys, appid, openid, tlsPort, ca, deskURL } = input;

// Connections to WeChat's host go to the simulator, as with a hosts file. The SDKs do not change.
https.Agent.prototype.createConnection = () => tls.connect({ host: "localhost", port: tlsPort, ca, servername: "localhost" });

// expect fails the script, and so the test.
const expect = (what, got, want) => {
  if (got !== want) throw new Error(`${what}: got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
};

// control calls the simulator's control API.
const control = async (path, body) => {
  const res = await fetch(`${deskURL}/control/${path}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: body && JSON.stringify(body),
  });
  if (!res.ok) throw new Error(`${path}: ${res.status} ${await res.text()}`);
  return res.json();
};

// WeChat's keys under their names.
const publicKey = keys.public_key_id && { [keys.public_key_id]: keys.public_key };
const wechatKeys = { ...publicKey, ...Object.fromEntries((keys.certificates ?? []).map((c) => [c.serial, c.pem])) };

// axiosPlugin is wechatpay-axios-plugin.
async function axiosPlugin() {
  const { Wechatpay, Formatter, Rsa, Aes } = (await import("wechatpay-axios-plugin")).default;
  const wxpay = new Wechatpay({ mchid: keys.mch_id, serial: keys.serial, privateKey: keys.private_key, certs: wechatKeys });
  const code = (err) => { throw new Error(err.response ? `${err.response.status} ${JSON.stringify(err.response.data)}` : err.message); };
  const data = (call) => call.then((res) => res.data, code);
  return {
    native: (order) => data(wxpay.v3.pay.transactions.native.post(order)).then((d) => d.code_url),
    async jsapi(order) {
      const { prepay_id } = await data(wxpay.v3.pay.transactions.jsapi.post(order));
      const params = { appId: appid, timeStamp: `${Formatter.timestamp()}`, nonceStr: Formatter.nonce(), package: `prepay_id=${prepay_id}`, signType: "RSA" };
      params.paySign = Rsa.sign(Formatter.joinedByLineFeed(params.appId, params.timeStamp, params.nonceStr, params.package), keys.private_key);
      return params;
    },
    query: (out_trade_no) => data(wxpay.v3.pay.transactions.outTradeNo.$out_trade_no$.get({ params: { mchid: keys.mch_id }, out_trade_no })).then((d) => d.trade_state),
    close: (out_trade_no) => wxpay.v3.pay.transactions.outTradeNo.$out_trade_no$.close.post({ mchid: keys.mch_id }, { out_trade_no }).then((res) => res.status, code),
    refund: (body) => data(wxpay.v3.refund.domestic.refunds.post(body)).then((d) => d.status),
    refundStatus: (out_refund_no) => data(wxpay.v3.refund.domestic.refunds.$out_refund_no$.get({ out_refund_no })).then((d) => d.status),
    async bill(bill_date) {
      const link = await data(wxpay.v3.bill.tradebill.get({ params: { bill_date } }));
      const file = await data(wxpay.v3.billdownload.file.get({ params: new URL(link.download_url).searchParams, responseType: "arraybuffer" }));
      return Buffer.from(file).toString("utf8");
    },
    notification(headers, body) {
      const pem = wechatKeys[headers["wechatpay-serial"]];
      const text = Formatter.response(headers["wechatpay-timestamp"], headers["wechatpay-nonce"], body);
      if (!pem || !Rsa.verify(text, headers["wechatpay-signature"], pem)) throw new Error("the signature is wrong");
      const { resource } = JSON.parse(body);
      return JSON.parse(Aes.AesGcm.decrypt(resource.ciphertext, keys.api_v3_key, resource.nonce, resource.associated_data));
    },
  };
}

// nodeV3 is wechatpay-node-v3. It does not verify responses by itself.
async function nodeV3() {
  const Pay = (await import("wechatpay-node-v3")).default;
  const pay = new Pay({ appid, mchid: keys.mch_id, publicKey: Buffer.from(keys.certificate), privateKey: Buffer.from(keys.private_key), key: keys.api_v3_key });
  // It gets the public key only from here. It downloads certificates by itself.
  Pay.certificates = { ...publicKey };
  const good = (res) => {
    if (!(res.status >= 200 && res.status <= 299)) throw new Error(`${res.status} ${res.error ?? JSON.stringify(res.errRaw)}`);
    return res.data;
  };
  return {
    native: async (order) => good(await pay.transactions_native(order)).code_url,
    async jsapi(order) {
      const { appId, timeStamp, nonceStr, package: pkg, signType, paySign } = good(await pay.transactions_jsapi(order));
      return { appId, timeStamp, nonceStr, package: pkg, signType, paySign };
    },
    query: async (out_trade_no) => good(await pay.query({ out_trade_no })).trade_state,
    close: async (out_trade_no) => (await pay.close(out_trade_no)).status,
    refund: async (body) => good(await pay.refunds(body)).status,
    refundStatus: async (out_refund_no) => good(await pay.find_refunds(out_refund_no)).status,
    bill: async (bill_date) => good(await pay.downloadBill(good(await pay.tradebill({ bill_date })).download_url)),
    async notification(headers, body) {
      const ok = await pay.verifySign({
        timestamp: headers["wechatpay-timestamp"], nonce: headers["wechatpay-nonce"], serial: headers["wechatpay-serial"],
        signature: headers["wechatpay-signature"], body,
      });
      if (!ok) throw new Error("the signature is wrong");
      const { resource } = JSON.parse(body);
      const content = pay.decipher_gcm(resource.ciphertext, resource.associated_data, resource.nonce);
      // It does not check the tag: it returns a string if it cannot decrypt.
      if (typeof content === "string") throw new Error("the resource does not decrypt");
      return content;
    },
  };
}

const sdk = await { axios: axiosPlugin, node: nodeV3 }[input.sdk]();

// The shop acknowledges a callback if the SDK accepts it.
const heard = [];
const shop = http.createServer(async (req, res) => {
  let body = "";
  for await (const chunk of req.setEncoding("utf8")) body += chunk;
  try {
    const content = await sdk.notification(req.headers, body);
    heard.push(content.out_refund_no ?? content.out_trade_no);
    res.writeHead(204).end();
  } catch (err) {
    res.writeHead(401).end(JSON.stringify({ code: "FAIL", message: err.message }));
  }
});
shop.listen(0, "localhost");
await once(shop, "listening");
const notify_url = `http://localhost:${shop.address().port}/notify`;
const order = (out_trade_no, more) => ({
  appid, mchid: keys.mch_id, description: "山岚小铺 - 茶 & <点心>", out_trade_no, notify_url, amount: { total: 880, currency: "CNY" }, ...more,
});

const sheet = await control("scan", { code_url: await sdk.native(order("node-paid-1")) });
await control(`sheets/${sheet.id}/pay`);
await control("clock", { advance_ms: 1 });
expect("callback", heard.at(-1), "node-paid-1");
expect("paid order", await sdk.query("node-paid-1"), "SUCCESS");

await sdk.jsapi(order("node-open-1", { payer: { openid } }));
expect("close", await sdk.close("node-open-1"), 204);
expect("closed order", await sdk.query("node-open-1"), "CLOSED");
const unknown = await sdk.query("node-unknown").then(() => "found", (err) => err.message);
expect("unknown order", /404.*ORDER_NOT_EXIST/s.test(unknown), true);

const refund = { out_trade_no: "node-paid-1", out_refund_no: "node-refund-1", reason: "缺货", notify_url, amount: { refund: 300, total: 880, currency: "CNY" } };
expect("refund", await sdk.refund(refund), "PROCESSING");
await control("clock", { advance_ms: 6000 });
expect("callback of the refund", heard.at(-1), "node-refund-1");
expect("refunded", await sdk.refundStatus("node-refund-1"), "SUCCESS");

for (const forge of ["bad_sign", "other_key", "unknown_serial", "probe", "bad_tag"]) {
  expect(`the forgery ${forge} is taken`, (await control("notifications", { out_trade_no: "node-paid-1", forge })).ok, false);
}
for (const key of ["one", "the other"]) { // during a change they are signed in turn
  expect(`the genuine callback with ${key} key is taken`, (await control("notifications", { out_trade_no: "node-paid-1", forge: "" })).ok, true);
}

await control("clock", { advance_ms: 24 * 3600 * 1000 });
const bill = await sdk.bill(input.billDate);
for (const want of ["node-paid-1", "node-refund-1", "总交易单数"]) expect(`the bill has ${want}`, bill.includes(want), true);

const params = await sdk.jsapi(order("node-open-2", { payer: { openid } }));
shop.close();
console.log(JSON.stringify({ params }));
