package campaign

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/paytest"
	"h5pay/internal/v1"
	"h5pay/wechat/wechattest"
)

// integration is what a merchant's back end does with the API for back ends, and its endpoints.
type integration struct {
	mu     sync.Mutex
	orders map[string]*apiOrder // by Idempotency-Key
	hooks  []*hook
}

// apiOrder is an order that the back end makes.
type apiOrder struct {
	key    string
	amount fen.Fen
	payer  *buyer // pays in WeChat, and shows the QR code
	helper *buyer // scans it

	mu sync.Mutex
	id string // after a response
}

// apiOrder returns the n-th order of the back end.
func (c *Campaign) apiOrder(n int) *apiOrder {
	key := fmt.Sprintf("api-%d-%06d", c.Seed, n)
	c.integration.mu.Lock()
	defer c.integration.mu.Unlock()
	if c.integration.orders == nil {
		c.integration.orders = map[string]*apiOrder{}
	}
	if c.integration.orders[key] == nil {
		c.integration.orders[key] = &apiOrder{key: key, amount: fen.Fen(100 + n*37%9000), payer: c.buyers[n%people], helper: c.buyers[(n+7)%people]}
	}
	return c.integration.orders[key]
}

// callV1 makes a call of the API for back ends and repeats it while there is no response or the shop
// cannot work. It decodes a success into result. Without a response the status is 0.
func (c *Campaign) callV1(method, path, key string, body, result any) (status int, rejected v1.Error) {
	text, err := json.Marshal(body)
	if err != nil {
		c.Note(Wrong, "", "%v", err)
		return 0, rejected
	}
	for i := range 4 * tries {
		if i >= 2 {
			c.Await()
		}
		req, err := http.NewRequest(method, c.Shop+path, bytes.NewReader(text))
		if err != nil {
			c.Note(Wrong, "", "%v", err)
			return 0, rejected
		}
		if body == nil {
			req.Body, req.ContentLength = nil, 0
		} else {
			req.Header.Set("Content-Type", "application/json")
		}
		req.Header.Set("Authorization", "Bearer "+c.operator.token)
		req.Header.Set("CF-Connecting-IP", c.operator.ip)
		if key != "" {
			req.Header.Set("Idempotency-Key", key)
		}
		res, err := c.operator.client.Do(req)
		if err != nil {
			continue
		}
		answer, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			continue
		}
		if status, rejected = res.StatusCode, (v1.Error{}); status < 300 {
			if err := json.Unmarshal(answer, result); err != nil {
				c.Note(Wrong, "", "%s %s: status %d %.200s", method, path, status, answer)
			}
			return status, rejected
		}
		if err := json.Unmarshal(answer, &rejected); err != nil || v1.Status(rejected.Code) != status {
			c.Note(Wrong, "", "%s %s: status %d %.200s", method, path, status, answer)
		}
		if rejected.Code != api.CodeInternal && rejected.Code != api.CodeBusy && rejected.Code != api.CodeWeChatBusy {
			return status, rejected
		}
	}
	return 0, rejected
}

// operate makes a call of the operator, like callV1, and reports whether it succeeded. A code that
// is not in allowed is a finding.
func (c *Campaign) operate(method, path, key string, body, result any, allowed ...api.Code) bool {
	status, rejected := c.callV1(method, path, key, body, result)
	if status >= 300 && !slices.Contains(allowed, rejected.Code) {
		c.Note(Wrong, "", "%s %s: status %d, %+v", method, path, status, rejected)
	}
	return status != 0 && status < 300
}

// orderByAPI makes an order by two equal calls at once. Then it tries to make it again in ways that
// must be rejected. n decides whether the customer pays it not at all, once, or in two places.
func (c *Campaign) orderByAPI(n int) {
	o := c.apiOrder(n)
	req := v1.CreateOrder{Amount: o.amount, Description: "后台订单", Reference: "ref-" + o.key, Metadata: map[string]string{"n": fmt.Sprint(n)}}
	var calls sync.WaitGroup
	var made v1.Order
	for range 2 {
		calls.Go(func() {
			if got, ok := c.createByAPI(o, o.key, req); ok {
				o.mu.Lock()
				defer o.mu.Unlock()
				made = got
			}
		})
	}
	calls.Wait()
	if made.ID == "" {
		return // the database was full
	}
	other := req
	other.Amount++
	if status, rejected := c.callV1(http.MethodPost, "/v1/orders", o.key, other, &v1.Order{}); status != 0 && rejected.Code != v1.CodeIdempotency {
		c.Note(Doubled, made.ID, "an Idempotency-Key with another body: status %d, code %q", status, rejected.Code)
	}
	if status, rejected := c.callV1(http.MethodPost, "/v1/orders", "other-"+o.key, req, &v1.Order{}); status != 0 &&
		!(rejected.Code == v1.CodeReferenceUsed && rejected.OrderID == made.ID) && rejected.Code != api.CodeShopFull {
		c.Note(Doubled, made.ID, "a reference was used again: status %d, %+v", status, rejected)
	}
	c.count("order by API: repeated and conflicting keys")
	if n%5 == 4 {
		return // nobody pays it
	}
	token := strings.TrimPrefix(made.URL, c.Shop+api.PathCustomer)
	sheets := []string{c.openByURL(o, token, api.TradeJSAPI)}
	if n%2 == 0 {
		sheets = append(sheets, c.openByURL(o, token, api.TradeNative))
	}
	for _, id := range sheets {
		if id == "" {
			continue
		}
		if _, err := c.WeChat.PaySheet(id); err == nil {
			c.count("order by API: paid")
		} // else its time is over
	}
}

// createByAPI makes an order and checks that a key is one order.
func (c *Campaign) createByAPI(o *apiOrder, key string, req v1.CreateOrder) (got v1.Order, ok bool) {
	seen := c.fullness.state()
	status, rejected := c.callV1(http.MethodPost, "/v1/orders", key, req, &got)
	switch {
	case status == http.StatusCreated:
	case status == 0:
		return got, false
	case rejected.Code == api.CodeShopFull:
		c.fullness.check(c.World, seen)
		return got, false
	default:
		c.Note(Wrong, "", "POST /v1/orders: status %d, %+v", status, rejected)
		return got, false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.id != "" && o.id != got.ID {
		c.Note(Doubled, got.ID, "Idempotency-Key %s made order %s, then another one", o.key, o.id)
	}
	o.id = got.ID
	if got.Amount != o.amount || got.Reference != req.Reference {
		c.Note(Wrong, got.ID, "an order by API of %d fen, reference %s, is %+v", o.amount, req.Reference, got)
	}
	return got, true
}

// openByURL opens the payment sheet of an order in one place, and returns its ID, "" if the order
// cannot be paid there any more.
func (c *Campaign) openByURL(o *apiOrder, token string, trade api.TradeType) string {
	var pay api.Checkout
	at := c.WeChat.Now()
	_, ok := o.payer.mustCall(http.MethodPost, api.CustomerPayPath(token), api.PayRequest{TradeTypes: []api.TradeType{trade}}, &pay, api.CodeOrderNotPayable, api.CodeOrderPaid)
	if !ok {
		return ""
	}
	var sheet wechattest.Sheet
	var err error
	switch {
	case trade == api.TradeJSAPI && pay.Pay != nil:
		defer c.takePhone(o.payer.user)()
		sheet, err = paytest.OpenSheet(c.WeChat, c.Shop, pay.Pay)
	case trade == api.TradeNative && pay.CodeURL != "":
		defer c.takePhone(o.helper.user)()
		sheet, err = c.WeChat.Scan(pay.CodeURL)
	default:
		return "" // it was paid meanwhile
	}
	if err != nil {
		if revoked := strings.Contains(err.Error(), "支付验证签名失败") && c.Keys.revokedAfter(at.Add(-time.Minute)); !isLate(err) && !revoked {
			c.Note(Wrong, pay.Order.ID, "WeChat opened no payment sheet for an order by API: %v", err)
		}
		return ""
	}
	return sheet.ID
}

// checkAPIOrders checks that every key of the back end is one order at its price, and returns the
// other orders.
func (c *Campaign) checkAPIOrders(all []paytest.Order) (rest []paytest.Order) {
	of := map[string][]paytest.Order{}
	for _, o := range all {
		if o.Source == "api" {
			of[o.Key] = append(of[o.Key], o)
		} else {
			rest = append(rest, o)
		}
	}
	for key, mine := range of {
		o := c.integration.orders[key]
		switch {
		case o == nil:
			c.Note(Wrong, mine[0].ID, "an order by API without a call, key %s", key)
		case len(mine) > 1:
			c.Note(Doubled, mine[0].ID, "Idempotency-Key %s has %d orders", key, len(mine))
		case o.id != "" && mine[0].ID != o.id:
			c.Note(Wrong, mine[0].ID, "the back end got order %s", o.id)
		case mine[0].Total != int64(o.amount) || mine[0].Reference != "ref-"+key:
			c.Note(Wrong, mine[0].ID, "an order by API of %d fen: %+v", o.amount, mine[0])
		}
	}
	for key, o := range c.integration.orders {
		if o.id != "" && !slices.ContainsFunc(of[key], func(stored paytest.Order) bool { return stored.ID == o.id }) {
			c.Note(Lost, o.id, "the back end got an order that is not stored")
		}
	}
	return rest
}
