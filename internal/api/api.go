// Package api is the contract between the page (wasm/) and the signer
// (signer/): paths, message shapes and error codes. Both sides compile it, so a
// change that breaks one of them does not build.
//
// All messages are JSON in UTF-8. Amounts are whole fen, times are Unix
// milliseconds. The package imports nothing but the type of money and the standard library, and of
// that nothing heavy: it is linked into the page.
package api

import "h5pay/internal/fen"

// The calls. Paths with {id} take an ID. Everything under /api/admin wants the
// operator's bearer token; everything else that is about orders wants a session.
const (
	PathConfig     = "/api/config"            // GET -> Config
	PathHealth     = "/api/health"            // GET -> Health, with its checks for the operator's token
	PathAuthorize  = "/api/oauth/authorize"   // POST AuthorizeRequest -> AuthorizeResponse
	PathToken      = "/api/oauth/token"       // POST TokenRequest -> TokenResponse
	PathSession    = "/api/session"           // GET -> Session, POST {} or nothing -> Session, DELETE -> 204
	PathProducts   = "/api/products"          // GET -> ProductList
	PathOrders     = "/api/orders"            // POST CreateOrderRequest -> Checkout, GET -> OrderList
	PathOrder      = "/api/orders/{id}"       // GET -> Order
	PathOrderPay   = "/api/orders/{id}/pay"   // POST PayRequest -> Checkout
	PathOrderClose = "/api/orders/{id}/close" // POST CloseRequest -> Order

	PathNotifyPay    = "/api/notify/pay"    // POST by WeChat, XML both ways
	PathNotifyRefund = "/api/notify/refund" // POST by WeChat, XML both ways

	PathAdminOrders  = "/api/admin/orders"             // GET -> AdminOrderList, or CSV with format=csv
	PathAdminOrder   = "/api/admin/orders/{id}"        // GET -> AdminOrder
	PathAdminRefund  = "/api/admin/orders/{id}/refund" // POST RefundRequest -> Refund
	PathAdminClose   = "/api/admin/orders/{id}/close"  // POST CloseRequest -> AdminOrder
	PathAdminCloses  = "/api/admin/close"              // POST CloseOrdersRequest -> CloseOrdersResponse
	PathAdminSelling = "/api/admin/selling"            // GET -> Selling, POST SellingRequest -> Selling
	PathAdminExport  = "/api/admin/person/export"      // POST PersonRequest -> PersonExport
	PathAdminErase   = "/api/admin/person/erase"       // POST PersonRequest -> PersonErased
	PathAdminEvents  = "/api/admin/events"             // GET -> EventList
	PathAdminReplay  = "/api/admin/events/{id}/replay" // POST {} -> Event
	PathAdminBills   = "/api/admin/bills"              // GET -> BillCheckList, POST BillRequest -> BillCheck
	PathAdminCounter = "/api/admin/counters"           // GET -> Counters
)

// OrderPath returns the path of one order.
func OrderPath(id string) string { return PathOrders + "/" + id }

// OrderPayPath returns the path that asks for what pays one order.
func OrderPayPath(id string) string { return PathOrders + "/" + id + "/pay" }

// OrderClosePath returns the path that gives one order up.
func OrderClosePath(id string) string { return PathOrders + "/" + id + "/close" }

// Config is what a page may know about the shop before anyone has signed in.
type Config struct {
	AppID      string      `json:"appid"`
	ShopName   string      `json:"shop_name"`
	Scope      Scope       `json:"scope"`
	TradeTypes []TradeType `json:"trade_types"` // the ones the signer accepts
	Currency   string      `json:"currency"`    // ISO 4217, "CNY"
}

// Scope is what the sign-in asks the user for.
type Scope string

// The two scopes of WeChat's web authorization.
const (
	ScopeBase     Scope = "snsapi_base"     // silent, openid only
	ScopeUserInfo Scope = "snsapi_userinfo" // asks for consent, adds nickname and avatar
)

// TradeType is WeChat's trade_type.
type TradeType string

// The trade types a shop may take; Config says which it does.
const (
	TradeJSAPI  TradeType = "JSAPI"  // inside WeChat, through WeixinJSBridge; a guest is told CodeUnauthenticated
	TradeNative TradeType = "NATIVE" // a QR code that a phone scans
	TradeMWEB   TradeType = "MWEB"   // a phone's browser, which WeChat's page sends to WeChat
)

// AuthorizeRequest starts a sign-in.
type AuthorizeRequest struct {
	// ReturnTo is where WeChat brings the user back: a path of this shop with
	// an optional query, "/pay?order=...". No scheme, host or fragment.
	ReturnTo string `json:"return_to"`
	// Scope defaults to the one in Config.
	Scope Scope `json:"scope,omitempty"`
	// After is the state that a sign-in came back with which failed, when the user did
	// not ask for this one. The third in a row is answered CodeSignInLoop.
	After string `json:"after,omitempty"`
}

// AuthorizeResponse holds the full open.weixin.qq.com URL to navigate to.
type AuthorizeResponse struct {
	URL string `json:"url"`
}

// TokenRequest hands over what WeChat appended to the return URL.
type TokenRequest struct {
	Code  string `json:"code"`
	State string `json:"state"`
}

// TokenResponse says who signed in and where they were going.
type TokenResponse struct {
	User     User   `json:"user"`
	ReturnTo string `json:"return_to"`
}

// Session is the answer to "who am I". POST makes a guest of who is nobody yet,
// so that an order outside WeChat has an owner; it changes nothing for others.
type Session struct {
	User User `json:"user"`
}

// User is who uses the page, as the page may see them.
type User struct {
	OpenID    string `json:"openid,omitempty"`     // masked: "oUpF…Mg3I"; "" for a guest
	Guest     bool   `json:"guest,omitempty"`      // known by a cookie alone: may pay by NATIVE and MWEB
	Nickname  string `json:"nickname,omitempty"`   // with snsapi_userinfo only
	AvatarURL string `json:"avatar_url,omitempty"` // with snsapi_userinfo only, https
}

// Product is one item of the catalogue.
type Product struct {
	ID     string  `json:"id"`
	Name   string  `json:"name"`
	Detail string  `json:"detail,omitempty"`
	Image  string  `json:"image,omitempty"` // path on this shop, "/web/products/tea.svg"
	Price  fen.Fen `json:"price"`           // fen, for one; what to suggest where the payer names the amount
	// Amount says that the payer names the amount: the item is ordered once,
	// with OrderItem.Amount.
	Amount *AmountBounds `json:"amount,omitempty"`
}

// AmountBounds are the least and the largest amount a payer may name, in fen.
type AmountBounds struct {
	Min fen.Fen `json:"min"`
	Max fen.Fen `json:"max"`
}

// ProductList is the catalogue in the order to show it.
type ProductList struct {
	Products []Product `json:"products"`
}

// Health reports whether everything works that a payment needs, from the settings
// to the merchant's back end. The status is 200 when it does, else 503.
type Health struct {
	OK     bool          `json:"ok"`
	Checks []HealthCheck `json:"checks,omitempty"` // with the operator's token alone
}

// HealthCheck is one thing that must be right. It names a setting or a binding
// that is wrong, never its value.
type HealthCheck struct {
	Name string `json:"name"` // "settings", "database", "cron", "outbox", ...
	OK   bool   `json:"ok"`
	// Problem is what is wrong or, of what is OK, what the shop does without.
	Problem string `json:"problem,omitempty"`
}
