// Package wechat is a client of WeChat Pay for a merchant's server. It signs users in by an
// Official Account. It places orders that are paid inside WeChat, by QR code, in a phone's browser
// or in an app. It queries, closes and refunds them, reads notifications and bills, and signs the
// parameters with which a page pays. It has both versions of the merchant API: APIv2, with
// HMAC-SHA256 or MD5, and APIv3, with RSA.
//
// # Use
//
// Make one [Client] for a merchant and an Official Account. It is safe for concurrent
// use. Its only state is the platform certificates that SetCertificates sets.
//
//	client, err := wechat.New(wechat.Config{
//		AppID: "wx...", AppSecret: "...", MchID: "19...", APIKey: "...",
//		Doer: &http.Client{
//			Timeout:       10 * time.Second,
//			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
//		},
//	})
//
// [Client.For] returns a [Merchant], the merchant API in one version. New payments use the
// version of [Client.Version]. Client itself has the sign-in, the notifications of both
// versions, and the keys of APIv3, which [Config.V3] holds. The results are neutral: no
// caller sees XML, JSON or a signature.
//
// A [Doer] sends requests. An *http.Client is one, if it follows no redirect: a
// request carries secrets. The package itself links no HTTP client, so that it
// stays small in a WebAssembly program.
//
// Package wechattest, below this one, is WeChat for the tests of a shop.
//
// # Amounts and times
//
// An amount is a [Fen], a hundredth of a yuan. Times are time.Time in any zone. WeChat's
// messages use Beijing time.
//
// # Trust
//
// WeChat has signed the result of a method, and it is about this account. The comments
// name the exceptions: a refund notification and a bill are not signed. Compare
// the amount and the currency with your order yourself. Anyone with the
// APIv2 key can forge a payment notification. So query the order with QueryOrder of [Merchant]
// after it.
//
// # Errors
//
// A failed call is an *[Error]. Its [Kind] determines what to do: repeat the same request, sign in
// again, or alert the operator. No error and no printed value holds a secret, a code, a token, an
// openid or a body.
//
// Nothing is retried, with one exception: a merchant call whose connection fails
// is sent once more, to WeChat's backup host (docs/wechat.md 2.1).
package wechat
