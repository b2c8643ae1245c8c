// Closing, refunds and bills at the simulator with wechatpay-axios-plugin, for
// money_test.go: over TLS with the merchant's certificate. Reads one JSON
// object from standard input and prints one.
import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import sdk from "wechatpay-axios-plugin";

const { Wechatpay, Formatter } = sdk;
const { baseURL, appid, mchid, key, certFile, keyFile, paid, unpaid, billDate } = JSON.parse(readFileSync(0, "utf8"));

// The SDK requires keys of APIv3 even if only APIv2 is used.
const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const client = (merchant) => new Wechatpay({ mchid, serial: "merchant", privateKey, certs: { platform: publicKey }, secret: key, baseURL, merchant });
const wxpay = client({ cert: readFileSync(certFile), key: readFileSync(keyFile) });
const common = () => ({ appid, mch_id: mchid, nonce_str: Formatter.nonce() });
const words = (err) => JSON.stringify(err.response?.data ?? err.message);

const refund = { out_trade_no: paid, out_refund_no: `${paid}-r1`, total_fee: 880, refund_fee: 300 };
const closed = await wxpay.v2.pay.closeorder.post({ ...common(), out_trade_no: unpaid });
const bare = await client().v2.secapi.pay.refund.post({ ...common(), ...refund }).then(() => "nothing", words);
const refunded = await wxpay.v2.secapi.pay.refund.post({ ...common(), ...refund }, { security: true });
const other = await wxpay.v2.secapi.pay.refund.post({ ...common(), ...refund, refund_fee: 301 }, { security: true }).then(() => "nothing", words);
const queried = await wxpay.v2.pay.refundquery.post({ ...common(), out_refund_no: refund.out_refund_no });
const bill = await wxpay.v2.pay.downloadbill.post({ ...common(), bill_date: billDate, bill_type: "ALL" }, {
  responseType: "arraybuffer", // a text would lose the byte order mark
  transformResponse: [(data) => data], // it is no XML and has no sign
});

console.log(JSON.stringify({
  closed: closed.data.result_code, bare, refundFee: refunded.data.refund_fee, refundID: refunded.data.refund_id, other,
  status: queried.data.refund_status_0, queriedID: queried.data.refund_id_0, bill: Formatter.castCsvBill(bill.data),
}));
