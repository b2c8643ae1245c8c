// Package wechattest is WeChat on a laptop: what net/http/httptest is to
// net/http, for a merchant who takes payments inside WeChat.
//
// It plays four WeChat hosts (open, api, api.mch and wx.tenpay.com, told apart
// by path on one origin), the phone that holds the shop's page and pays, the
// other places where a shop is opened (WeChat on a computer, Enterprise WeChat, a
// mini program, browsers), and a desk from which a developer or a test watches
// and steers. It is strict: what
// WeChat refuses it refuses, in WeChat's words and codes. With Config.Hostile it
// does what WeChat may do at any time: replies carry fields that no document
// names, coupons make cash_fee differ from total_fee, and the order of
// elements changes. A client that survives it verifies what it must.
//
// In a test:
//
//	wx := wechattest.Start(t, wechattest.Config{})
//	client := newClient(wx.URL, wx.Config())       // any SDK, by its base URL
//	...                                            // the shop makes an order
//	sheet, refused := wx.Invoke(call)              // the page calls the bridge
//	wx.PaySheet(sheet.ID)                          // the person pays
//	wx.Advance(0)                                  // the notification has arrived
//	wx.Advance(wx.Config().RefundTime)             // so has that of a refund
//	sheet, err := wx.Scan(codeURL)                 // or the phone scans a NATIVE code
//	wx.SetEnvironment(wechattest.Safari)           // the shop is opened elsewhere
//	wx.AddFault(wechattest.Fault{Kind: wechattest.FaultNotifyLost})
//
// Refund wants the merchant's certificate, which wx.TLSURL asks for and
// wx.Client presents; Config.PlainRefunds does without.
//
// APIv2 and APIv3 work on one ledger. The keys of APIv3 are made when first
// needed, and V3 returns them:
//
//	wx := wechattest.Start(t, wechattest.Config{V3Mode: wechattest.V3PublicKey})
//	keys := wx.V3()                                // merchant key, public key, APIv3 key
//	wx.RotateV3MerchantKey()                       // and so on, at any moment
//	wx.AddFault(wechattest.Fault{Kind: wechattest.FaultV3Probe})
//
// Its signature check, its XML reader and its notification writer share no
// code with h5pay's client. Two readings of one specification meet here.
//
// Limits. There is one merchant with one Official Account. The server cannot
// see the fragment #wechat_redirect; pages that it renders check it in the
// browser, a plain HTTP client is not checked. Neither can it tell who opened an
// authorize link: that is judged by the environment. A browser on this machine has no
// public address to compare with spbill_create_ip. Rates are not limited, the
// merchant's balance is endless but for a fault.
package wechattest
