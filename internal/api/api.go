// Package api is the contract between the page (wasm/) and the signer (signer/): paths, messages
// and error codes. Both compile it, so an incompatible change does not build.
//
// All messages are JSON in UTF-8. Amounts are integers in fen, times are Unix milliseconds. The
// package is linked into the page, so it imports only the type of money and small packages of the
// standard library.
package api

import "h5pay/internal/fen"

// The paths of the API. {id} stands for an ID. Paths about orders require a session.
const (
	PathConfig     = "/api/config"            // GET -> Config
	PathHealth     = "/api/health"            // GET -> Health; its checks require the operator's token
	PathAuthorize  = "/api/oauth/authorize"   // POST AuthorizeRequest -> AuthorizeResponse
	PathToken      = "/api/oauth/token"       // POST TokenRequest -> TokenResponse
	PathSession    = "/api/session"           // GET -> Session, POST {} or no body -> Session, DELETE -> 204
	PathProducts   = "/api/products"          // GET -> ProductList
	PathStartPage  = "/api/startpage"         // GET -> StartPage
	PathOrders     = "/api/orders"            // POST CreateOrderRequest -> Order, GET -> OrderList
	PathOrder      = "/api/orders/{id}"       // GET -> Order
	PathCustomer   = "/o/"                    // the page of an order that a back end made, before its token
	PathOrderPay   = "/api/orders/{id}/pay"   // POST PayRequest -> Checkout
	PathOrderClose = "/api/orders/{id}/close" // POST CloseRequest -> Order

	// The same order for a caller with its token, who needs no session, except to pay with JSAPI.
	PathCustomerOrder = "/api/o/{token}"     // GET -> CustomerOrder
	PathCustomerPay   = "/api/o/{token}/pay" // POST PayRequest -> Checkout

	// A payment link, for whoever has its token. An order of it needs a session.
	PathLink       = "/l/"                   // the page of a payment link, before its token
	PathLinkView   = "/api/l/{token}"        // GET -> PaymentLink
	PathLinkOrders = "/api/l/{token}/orders" // POST LinkOrderRequest -> LinkOrder

	PathNotifyPay    = "/api/notify/pay"    // POST by WeChat, XML (APIv2) or JSON (APIv3)
	PathNotifyRefund = "/api/notify/refund" // POST by WeChat, XML (APIv2) or JSON (APIv3)
)

// OrderPath returns the path of one order.
func OrderPath(id string) string { return PathOrders + "/" + id }

// OrderPayPath returns the path that returns one order with the parameters that pay it.
func OrderPayPath(id string) string { return PathOrders + "/" + id + "/pay" }

// OrderClosePath returns the path that cancels one order.
func OrderClosePath(id string) string { return PathOrders + "/" + id + "/close" }

// CustomerOrderPath returns the path of the order with a token.
func CustomerOrderPath(token string) string { return "/api" + PathCustomer + token }

// CustomerPayPath returns the path that returns the order with a token and the parameters that pay it.
func CustomerPayPath(token string) string { return CustomerOrderPath(token) + "/pay" }

// Config is the shop's public configuration.
type Config struct {
	AppID      string      `json:"appid"`
	ShopName   string      `json:"shop_name"`
	Scope      Scope       `json:"scope"`
	TradeTypes []TradeType `json:"trade_types"` // that the shop accepts
	Currency   string      `json:"currency"`    // ISO 4217, "CNY"
}

// Scope is the OAuth scope of the sign-in.
type Scope string

// The two scopes of WeChat's web authorization.
const (
	ScopeBase     Scope = "snsapi_base"     // silent, openid only
	ScopeUserInfo Scope = "snsapi_userinfo" // requires the user's consent, adds nickname and avatar
)

// TradeType is WeChat's trade_type.
type TradeType string

// The trade types. Config lists those that the shop accepts.
const (
	TradeJSAPI  TradeType = "JSAPI"  // inside WeChat, through WeixinJSBridge; requires a sign-in
	TradeNative TradeType = "NATIVE" // a QR code that a phone scans
	TradeMWEB   TradeType = "MWEB"   // in a phone's browser: WeChat's payment page opens WeChat
)

// AuthorizeRequest starts a sign-in.
type AuthorizeRequest struct {
	// ReturnTo is the address to return to after the sign-in: a path of this shop with an optional
	// query, "/pay?order=...". It has no scheme, host or fragment.
	ReturnTo string `json:"return_to"`
	// Scope defaults to Config.Scope.
	Scope Scope `json:"scope,omitempty"`
	// After is the state of a failed sign-in that this one retries automatically. The third sign-in
	// in a row is rejected with CodeSignInLoop.
	After string `json:"after,omitempty"`
}

// AuthorizeResponse contains the open.weixin.qq.com URL to navigate to.
type AuthorizeResponse struct {
	URL string `json:"url"`
}

// TokenRequest contains the parameters that WeChat appended to the return URL.
type TokenRequest struct {
	Code  string `json:"code"`
	State string `json:"state"`
}

// TokenResponse contains the signed-in user and the address to return to.
type TokenResponse struct {
	User     User   `json:"user"`
	ReturnTo string `json:"return_to"`
}

// Session describes the current session. POST gives a visitor without a session a guest id, so that
// an order outside WeChat has an owner. It does not change an existing session.
type Session struct {
	User User `json:"user"`
}

// User is the user of the page, without data that the page must not see.
type User struct {
	OpenID    string `json:"openid,omitempty"`     // masked: "oUpF…Mg3I"; "" for a guest
	Guest     bool   `json:"guest,omitempty"`      // identified only by a cookie; may pay by NATIVE and MWEB
	Nickname  string `json:"nickname,omitempty"`   // only with snsapi_userinfo
	AvatarURL string `json:"avatar_url,omitempty"` // only with snsapi_userinfo, https
}

// Product is one item of the catalogue.
type Product struct {
	ID     string  `json:"id"`
	Name   string  `json:"name"`
	Detail string  `json:"detail,omitempty"`
	Image  string  `json:"image,omitempty"` // path on this shop, "/web/products/tea.svg"
	Price  fen.Fen `json:"price"`           // fen, for one piece; a suggestion if Amount is set
	// Amount is set if the payer enters the amount. Such a product is ordered once, with
	// OrderItem.Amount.
	Amount *AmountBounds `json:"amount,omitempty"`
	// Left is how many pieces can be ordered, if they are fewer than MaxQuantity. 0 is sold out.
	Left *int `json:"left,omitempty"`
}

// SoldOut reports whether no piece can be ordered.
func (p Product) SoldOut() bool { return p.Left != nil && *p.Left == 0 }

// AmountBounds are the smallest and the largest amount that a payer may enter, in fen.
type AmountBounds struct {
	Min fen.Fen `json:"min"`
	Max fen.Fen `json:"max"`
}

// ProductList is the catalogue in display order.
type ProductList struct {
	Products []Product `json:"products"`
}

// Catalogue is what the start page knows before its program makes a call.
type Catalogue struct {
	Config   Config    `json:"config"`
	Products []Product `json:"products"`
}

// StartPage is the HTML of the parts of the start page that depend on the catalogue, by name. A
// server puts them between the marks of the page: see package startpage.
type StartPage map[string]string

// Health reports whether the parts that a payment needs work, from the settings to the merchant's
// back end. The HTTP status is 200 if they do, else 503.
type Health struct {
	OK     bool          `json:"ok"`
	Checks []HealthCheck `json:"checks,omitempty"` // only with the operator's token
}

// HealthCheck is the result of one check. It may name a setting or a binding, never its value.
type HealthCheck struct {
	Name string `json:"name"` // "settings", "database", "cron", "outbox", ...
	OK   bool   `json:"ok"`
	// Problem describes the failure. For a check that is OK it describes an optional feature that
	// is off.
	Problem string `json:"problem,omitempty"`
	// Cause names the problem, by an ID of docs/doctor.md.
	Cause string `json:"cause,omitempty"`
	// Setting is the setting that is wrong, if it is one.
	Setting string `json:"setting,omitempty"`
}
