package paytest

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"testing"

	"h5pay/internal/api"
	"h5pay/wechat/wechattest"
)

// Purchase is an order that a person makes, and the trade type that is to pay it.
type Purchase struct {
	api.CreateOrderRequest
	TradeType api.TradeType `json:"-"`
}

// Basket returns a request for an order of one product, under a new key, that is paid inside WeChat.
func Basket(product string, quantity int) Purchase {
	return Purchase{api.CreateOrderRequest{
		Items: []api.OrderItem{{ProductID: product, Quantity: quantity}}, ClientKey: rand.Text(),
	}, api.TradeJSAPI}
}

// BasketForCode is Basket for an order that a QR code pays.
func BasketForCode(product string, quantity int) Purchase {
	req := Basket(product, quantity)
	req.TradeType = api.TradeNative
	return req
}

// BasketForH5 is Basket for an order that a phone's browser pays.
func BasketForH5(product string, quantity int) Purchase {
	req := Basket(product, quantity)
	req.TradeType = api.TradeMWEB
	return req
}

// calls makes the calls of an order's life. Person and Buyer have them.
type calls struct {
	t    testing.TB
	must func(method, path string, body, result any) // makes a call that must succeed
}

// Place makes an order. WeChat does not know it yet.
func (c calls) Place(req Purchase) api.Order {
	c.t.Helper()
	var o api.Order
	c.must("POST", api.PathOrders, req, &o)
	return o
}

// RequestPayment requests what pays an order by a trade type, as the page does.
func (c calls) RequestPayment(id string, trade api.TradeType) api.Checkout {
	c.t.Helper()
	var checkout api.Checkout
	c.must("POST", api.OrderPayPath(id), api.PayRequest{TradeTypes: []api.TradeType{trade}}, &checkout)
	return checkout
}

// Checkout makes an order and requests its payment, as the page does.
func (c calls) Checkout(req Purchase, checkout *api.Checkout) {
	c.t.Helper()
	o := c.Place(req)
	*checkout = c.RequestPayment(o.ID, req.TradeType)
	if checkout.Order.ID != o.ID {
		c.t.Errorf("paying order %s returned order %s", o.ID, checkout.Order.ID)
	}
}

// CannotPay makes an order and requests its payment. One of the two calls must be rejected with a code.
func (p *Person) CannotPay(code api.Code, req Purchase) {
	p.T.Helper()
	a := p.Call("POST", api.PathOrders, req)
	var o api.Order
	if a.Err.Code == "" {
		if err := json.Unmarshal(a.Body, &o); err != nil {
			p.T.Fatal(err)
		}
		a = p.Call("POST", api.OrderPayPath(o.ID), api.PayRequest{TradeTypes: []api.TradeType{req.TradeType}})
	}
	if a.Err.Code != code {
		p.T.Errorf("order %s: %d %s, want %s", o.ID, a.Status, a.Body, code)
	}
}

// Order makes an order of one product that is paid inside WeChat, and requests its payment.
func (c calls) Order(product string, quantity int) api.Checkout {
	c.t.Helper()
	var checkout api.Checkout
	c.Checkout(Basket(product, quantity), &checkout)
	return checkout
}

// OrderByCode is Order with payment by a QR code.
func (c calls) OrderByCode(product string, quantity int) api.Checkout {
	c.t.Helper()
	var checkout api.Checkout
	c.Checkout(BasketForCode(product, quantity), &checkout)
	return checkout
}

// GetOrder reads an order.
func (c calls) GetOrder(id string) api.Order {
	c.t.Helper()
	var o api.Order
	c.must("GET", api.OrderPath(id), nil, &o)
	return o
}

// OpenPaySheet opens the payment sheet as WeixinJSBridge does.
func (p *Person) OpenPaySheet(pay *api.PayParams) (wechattest.Sheet, error) {
	p.T.Helper()
	if err := p.Sim.SetUser(p.User.OpenID); err != nil {
		p.T.Fatal(err)
	}
	return OpenSheet(p.Sim, ShopURL, pay)
}

// Pay opens the payment sheet and pays. Shop.Deliver delivers the notification.
func (p *Person) Pay(pay *api.PayParams) {
	p.T.Helper()
	sheet, err := p.OpenPaySheet(pay)
	if err != nil {
		p.T.Fatal(err)
	}
	if _, err := p.Sim.PaySheet(sheet.ID); err != nil {
		p.T.Fatal(err)
	}
}

// CloseOrder cancels an order.
func (c calls) CloseOrder(id string) api.Order {
	c.t.Helper()
	var o api.Order
	c.must("POST", api.OrderClosePath(id), api.CloseRequest{}, &o)
	return o
}

// PaidOrder makes an order and pays it. WeChat may be queried about it again when it returns.
func (p *Person) PaidOrder(product string, quantity int) api.Order {
	p.T.Helper()
	c := p.Order(product, quantity)
	p.Pay(c.Pay)
	p.Deliver()
	p.Sim.Advance(QueryPause) // so that GetOrder queries WeChat if the notification was lost
	return p.GetOrder(c.Order.ID)
}

// Scan scans a QR code with the phone of the i-th user, and pays.
func (s *Shop) Scan(i int, codeURL string) error {
	s.T.Helper()
	if err := s.Sim.SetUser(s.Sim.Users()[i].OpenID); err != nil {
		s.T.Fatal(err)
	}
	sheet, err := s.Sim.Scan(codeURL)
	if err != nil {
		return err
	}
	_, err = s.Sim.PaySheet(sheet.ID)
	return err
}

// OpenH5 navigates a phone's browser from the shop's page to a mweb_url. It returns WeChat's page, and
// the payment sheet that the page opens.
func (p *Person) OpenH5(mwebURL string) (page string, sheet wechattest.Sheet, err error) {
	p.T.Helper()
	if err := p.Sim.SetUser(p.User.OpenID); err != nil {
		p.T.Fatal(err)
	}
	was := p.Sim.Place().Environment
	if err := p.Sim.SetEnvironment(wechattest.Chrome); err != nil {
		p.T.Fatal(err)
	}
	defer p.Sim.SetEnvironment(was)
	u, err := url.Parse(mwebURL)
	if err != nil {
		p.T.Fatal(err)
	}
	r := p.Request("GET", u.RequestURI(), nil)
	r.Header = http.Header{"Referer": {ShopURL + "/"}, "User-Agent": {p.Sim.Place().UserAgent}}
	page = ServeBody(p.Sim.Handler(), r)
	id := regexp.MustCompile(`data-id="([^"]+)"`).FindStringSubmatch(page)
	if id == nil {
		return page, sheet, errors.New("WeChat's page opens no payment sheet")
	}
	sheet, err = p.Sim.Sheet(id[1])
	return page, sheet, err
}

// OpenSheet opens the payment sheet of a checkout, whatever its trade type.
func (p *Person) OpenSheet(c api.Checkout) (sheet wechattest.Sheet, err error) {
	p.T.Helper()
	switch {
	case c.Pay != nil:
		return p.OpenPaySheet(c.Pay)
	case c.CodeURL != "":
		return p.Sim.Scan(c.CodeURL)
	case c.MWebURL != "":
		_, sheet, err = p.OpenH5(c.MWebURL)
		return sheet, err
	}
	return sheet, errors.New("nothing to pay with")
}
