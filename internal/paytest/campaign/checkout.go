package campaign

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/order"
	"h5pay/wechat/wechattest"
)

// checkout is a purchase as the buyer's page knows it.
type checkout struct {
	*buyer
	purchase
	total fen.Fen         // from the catalogue
	payer wechattest.User // whose phone pays, except for JSAPI

	mu     sync.Mutex
	place  int                            // the index of the trade type of the place where the buyer is
	id     string                         // of the order, after a response
	pay    map[api.TradeType][]parameters // the payment parameters of each place, the newest last
	sheets map[api.TradeType]string       // the IDs of the newest sheets
}

// parameters are payment parameters of a page.
type parameters struct {
	api.Checkout
	at time.Time // when the page got them
}

// orderID returns the order's ID, "" while the page does not know it.
func (p *checkout) orderID() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.id
}

// tradeType returns what the buyer pays by where they are.
func (p *checkout) tradeType() api.TradeType {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tradeTypes[p.place]
}

// goElsewhere goes to the other place and opens what pays the order there.
func (p *checkout) goElsewhere() {
	p.mu.Lock()
	p.place = (p.place + 1) % len(p.tradeTypes)
	p.mu.Unlock()
	p.requestPayment(false)
	p.open(-1)
}

// request returns the request that the page sends, the same each time.
func (p *checkout) request() api.CreateOrderRequest {
	return api.CreateOrderRequest{Items: p.items, ClientKey: p.key}
}

// order sends the basket and requests what pays the order, as the page does.
func (p *checkout) order() {
	if p.create() {
		p.requestPayment(false)
	}
}

// create sends the basket and reports whether it got an order. The shop rejects the basket if the
// database is full.
func (p *checkout) create() bool {
	var o api.Order
	seen := p.fullness.state()
	a, ok := p.mustCall(http.MethodPost, api.PathOrders, p.request(), &o, api.CodeShopFull)
	switch {
	case ok:
		p.storeOrder(o)
	case a.Code == api.CodeShopFull:
		p.fullness.check(p.World, seen)
		p.fullness.postpone(p)
	}
	return ok
}

// cancel cancels the order.
func (p *checkout) cancel() {
	id := p.orderID()
	if id == "" {
		return
	}
	var o api.Order
	if _, ok := p.mustCall(http.MethodPost, api.OrderClosePath(id), api.CloseRequest{}, &o, api.CodeOrderPaid); ok {
		p.checkOrder(o)
		if o.Status != api.StatusClosing && o.Status != api.StatusClosed {
			p.Note(Wrong, "", "order %s was cancelled but is %s", id, o.Status)
		}
	}
}

// renew requests new payment parameters.
func (p *checkout) renew() { p.requestPayment(true) }

// requestPayment requests what pays the order where the buyer is.
func (p *checkout) requestPayment(renew bool) {
	trade := p.tradeType()
	id := p.orderID()
	if id == "" {
		return
	}
	var c api.Checkout
	if _, ok := p.mustCall(http.MethodPost, api.OrderPayPath(id), api.PayRequest{TradeTypes: []api.TradeType{trade}, Renew: renew}, &c, api.CodeOrderNotPayable, api.CodeOrderPaid); ok {
		p.storeResponse(trade, c)
	}
}

// storeOrder stores the order of a response in the page.
func (p *checkout) storeOrder(o api.Order) {
	p.checkOrder(o)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.id != "" && p.id != o.ID {
		p.Note(Doubled, "", "client_key %s created order %s, then %s", p.key, p.id, o.ID)
	}
	p.id = o.ID
	p.owners.Store(p.id, p.buyer)
}

// storeResponse stores an order with what pays it in one place in the page.
func (p *checkout) storeResponse(trade api.TradeType, c api.Checkout) {
	p.storeOrder(c.Order)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case c.Pay != nil && trade == api.TradeJSAPI,
		c.CodeURL != "" && trade == api.TradeNative,
		c.MWebURL != "" && trade == api.TradeMWEB:
		if p.pay == nil {
			p.pay = map[api.TradeType][]parameters{}
		}
		p.pay[trade] = append(p.pay[trade], parameters{c, p.WeChat.Now()})
	case !order.WasPaid(c.Order.Status):
		p.Note(Wrong, "", "order %s is %s but has no payment parameters", c.Order.ID, c.Order.Status)
	}
}

// checkOrder compares the order in a response with WeChat's ledger.
func (p *checkout) checkOrder(o api.Order) {
	if o.Total != p.total {
		p.Note(Wrong, "", "order %s costs %d fen, want %d from the catalogue", o.ID, o.Total, p.total)
	}
	for i := 1; i < len(o.Timeline); i++ {
		if was, is := o.Timeline[i-1], o.Timeline[i]; !order.CanBecome(was.Status, is.Status) || is.At < was.At {
			p.Note(Wrong, "", "wrong timeline of order %s: %+v", o.ID, o.Timeline)
			break
		}
	}
	p.checkShown(o)
}

// checkShown checks that no response reports a payment that was not made.
func (b *buyer) checkShown(o api.Order) {
	if !order.WasPaid(o.Status) {
		if o.PaymentNo != "" || o.PaidAt != 0 {
			b.Note(Wrong, "", "order %s is %s and has payment %q", o.ID, o.Status, o.PaymentNo)
		}
		return
	}
	trade, ok := b.WeChat.Trade(o.PaymentNo)
	known := o.PaidAt != 0 && trade.Paid.Unix() == o.PaidAt/1000 && !o.PaidAtUnknown
	// The time may be unknown only for a payment that was refunded by hand, and only until its bill
	// was compared.
	unknown := o.PaidAt == 0 && o.PaidAtUnknown && !b.billed.Load() && !byHand(b.WeChat.RefundsOf(trade.OutTradeNo)).IsZero()
	if !ok || trade.TotalFee != int64(o.Total) || !known && !unknown {
		b.Note(Wrong, trade.OutTradeNo, "a response reports order %s as paid by %q at %d; WeChat has %+v", o.ID, o.PaymentNo, o.PaidAt, trade)
	}
}

// answerSheet pays on the newest sheet where the buyer is, or closes it.
func (p *checkout) answerSheet(answer func(id string) (wechattest.Sheet, error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer(p.tradeTypes[p.place], answer)
}

// answerSheets pays on the newest sheet of every place.
func (p *checkout) answerSheets(answer func(id string) (wechattest.Sheet, error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, trade := range p.tradeTypes {
		p.answer(trade, answer)
	}
}

func (p *checkout) answer(trade api.TradeType, answer func(id string) (wechattest.Sheet, error)) {
	if p.sheets[trade] == "" {
		return
	}
	if _, err := answer(p.sheets[trade]); err != nil && !errors.Is(err, wechattest.ErrSheetClosed) {
		p.Note(Wrong, "", "%v", err)
	}
}

// poll reads the order, as the page does after the sheet has closed.
func (p *checkout) poll() {
	id := p.orderID()
	if id == "" {
		return
	}
	var o api.Order
	if _, ok := p.mustCall(http.MethodGet, api.OrderPath(id), nil, &o); ok {
		p.checkOrder(o)
	}
}

// list reads all orders of the buyer.
func (b *buyer) list() {
	var all api.OrderList
	if _, ok := b.mustCall(http.MethodGet, api.PathOrders, nil, &all); !ok {
		return
	}
	for _, o := range all.Orders {
		b.checkShown(o)
		if owner := b.ownerOf(o.ID); owner != nil && owner != b {
			b.Note(Wrong, "", "order %s is in another buyer's list", o.ID)
		}
	}
}

// readOther reads another buyer's order and tries to pay it.
func (p *checkout) readOther(other *checkout) {
	id := other.orderID()
	if id == "" || other.buyer == p.buyer {
		return
	}
	if _, ok := p.mustCall(http.MethodGet, api.OrderPath(id), nil, &api.Order{}, api.CodeNotFound); ok {
		p.Note(Wrong, "", "another buyer can read order %s", id)
	}
	if _, ok := p.mustCall(http.MethodPost, api.OrderPayPath(id), api.PayRequest{TradeTypes: []api.TradeType{api.TradeNative}}, &api.Checkout{}, api.CodeNotFound); ok {
		p.Note(Wrong, "", "another buyer got payment parameters for order %s", id)
	}
}

// ownerOf returns the buyer who received the order's ID, nil if none did.
func (w *World) ownerOf(id string) *buyer {
	b, _ := w.owners.Load(id)
	owner, _ := b.(*buyer)
	return owner
}
