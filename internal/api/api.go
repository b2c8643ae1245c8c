// Package api is the contract between the page (wasm/) and the signer
// (signer/): paths, message shapes and error codes. Both sides compile it, so a
// change that breaks one of them does not build.
//
// All messages are JSON in UTF-8. Amounts are whole fen, times are Unix
// milliseconds. The package imports nothing but the standard library, and of
// that nothing heavy: it is linked into the page.
package api

// The calls. Paths with {id} take an order ID.
const (
	PathConfig    = "/api/config"          // GET -> Config
	PathAuthorize = "/api/oauth/authorize" // POST AuthorizeRequest -> AuthorizeResponse
	PathToken     = "/api/oauth/token"     // POST TokenRequest -> TokenResponse
	PathSession   = "/api/session"         // GET -> Session, DELETE -> 204
	PathProducts  = "/api/products"        // GET -> ProductList
	PathOrders    = "/api/orders"          // POST CreateOrderRequest -> Checkout, GET -> OrderList
	PathOrder     = "/api/orders/{id}"     // GET -> Order
	PathOrderPay  = "/api/orders/{id}/pay" // POST PayRequest -> Checkout
	PathNotifyPay = "/api/notify/pay"      // POST by WeChat, XML both ways
)

// OrderPath returns the path of one order.
func OrderPath(id string) string { return PathOrders + "/" + id }

// OrderPayPath returns the path that asks for the pay parameters of one order.
func OrderPayPath(id string) string { return PathOrders + "/" + id + "/pay" }

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

// TradeJSAPI pays inside WeChat through WeixinJSBridge.
const TradeJSAPI TradeType = "JSAPI"

// AuthorizeRequest starts a sign-in.
type AuthorizeRequest struct {
	// ReturnTo is where WeChat brings the user back: a path of this shop with
	// an optional query, "/pay?order=...". No scheme, host or fragment.
	ReturnTo string `json:"return_to"`
	// Scope defaults to the one in Config.
	Scope Scope `json:"scope,omitempty"`
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

// Session is the answer to "who am I".
type Session struct {
	User User `json:"user"`
}

// User is a signed-in user as the page may see them.
type User struct {
	OpenID    string `json:"openid"`               // masked: "oUpF…Mg3I"
	Nickname  string `json:"nickname,omitempty"`   // with snsapi_userinfo only
	AvatarURL string `json:"avatar_url,omitempty"` // with snsapi_userinfo only, https
}

// Product is one item of the catalogue.
type Product struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Detail string `json:"detail,omitempty"`
	Image  string `json:"image,omitempty"` // path on this shop, "/web/products/tea.svg"
	Price  Fen    `json:"price"`           // fen, for one
}

// ProductList is the catalogue in the order to show it.
type ProductList struct {
	Products []Product `json:"products"`
}
