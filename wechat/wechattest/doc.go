// Package wechattest is WeChat Pay for tests: what net/http/httptest is to
// net/http, for a merchant's server that takes payments through WeChat.
//
// It simulates open.weixin.qq.com, api.weixin.qq.com, api.mch.weixin.qq.com and wx.tenpay.com on
// one origin, and the person who signs in and pays. It is strict: it declines what WeChat declines,
// with WeChat's texts and codes. It works with any client whose base URL can be set, in any
// language.
//
// # In a test
//
//	wx := wechattest.Start(t, wechattest.Config{})
//
// starts WeChat on a free port and ends it with the test. The merchant is
// [DefaultMchID] with [DefaultAPIKey], unless [Config] says otherwise. The shop
// calls wx.URL, or wx.TLSURL with wx.Client for refunds, which need the
// merchant's certificate. Then the test is the buyer and the clock:
//
//	sheet, err := wx.Pay(page, params)       // the page pays a JSAPI order
//	sheet, err := wx.Scan(codeURL)           // the phone scans a NATIVE order,
//	sheet, err = wx.PaySheet(sheet.ID)       // and the buyer pays it
//	wx.Advance(0)                            // notifications that are due have arrived
//	wx.Advance(15 * time.Second)             // and here the first retry
//	wx.AddFault(wechattest.Fault{Kind: wechattest.FaultNotifyLost})
//	ledger := wx.Ledger()                    // orders, payments, refunds, notifications
//
// [New] makes a WeChat without a port: its [WeChat.Handler] serves requests in
// process, and its clock starts at Config.Epoch.
//
// # What a test may rely on
//
// Two simulators with the same Seed and Epoch that get the same calls in the same order give the
// same responses. There is no global state: tests can run in parallel, each with a WeChat of its
// own. [WeChat.Close] ends all goroutines.
//
// Amounts are in fen, a hundredth of a yuan. Times are UTC on the simulator's
// clock, which runs in real time until [WeChat.Advance] or Config.TimeScale move
// it. Names that end in MS are milliseconds of that clock.
//
// A method that returns an error changes nothing, and the error names the mistake in the call. If
// WeChat declines a request, that is no error of the simulator. The shop gets WeChat's response,
// and [WeChat.Messages] has it with a note about the cause.
//
// # Faults
//
// [FaultKinds] lists what can go wrong, from a lost notification to a forged response.
// A [Fault] waits in a queue for the next occasion that fits, and affects Count of
// them. With Config.Hostile, WeChat does at once what it may do at any time. Responses
// have fields that no document names, coupons make cash_fee differ from total_fee, and
// elements change their order.
//
// # APIv3
//
// APIv2 and APIv3 work on one ledger. The keys of APIv3 are made when first
// needed, and V3 returns them:
//
//	wx := wechattest.Start(t, wechattest.Config{V3Mode: wechattest.V3PublicKey})
//	keys := wx.V3()                                // merchant key, public key, APIv3 key
//	wx.RotateV3MerchantKey()                       // and so on, at any moment
//	wx.AddFault(wechattest.Fault{Kind: wechattest.FaultV3Probe})
//
// # Independence
//
// Its signature check, its XML reader and its notification writer share no code with package
// wechat. So a test compares two implementations of one protocol, and a mistake in one of them is
// found.
//
// # Limits
//
// There is one merchant with one Official Account. The server cannot see the
// fragment #wechat_redirect: pages check it in the browser, a plain HTTP client is
// not checked. It does not know who opened an authorize link: the environment
// decides (see [WeChat.SetEnvironment]). A browser on this machine has no public address
// to compare with spbill_create_ip. Calls are not limited in number, and the merchant's
// balance is endless but for a fault.
//
// The web page with a phone and a message log is h5pay's command simulator, which
// is built on this package.
package wechattest
