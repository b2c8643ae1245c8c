package main

import (
	"errors"
	"net/http"
	"sync"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/order"
	"h5pay/wechat/wechattest"
)

// wish is a purchase as the page of its buyer knows it.
type wish struct {
	*buyer
	purchase
	total fen.Fen // by the catalogue

	payer   wechattest.User // whose phone pays
	instead *wish           // whose place it takes, if any

	mu       sync.Mutex
	replaces string // the order of instead as it was first sent
	sent     bool
	id       string       // of the order, once there was an answer
	pay      api.Checkout // the newest that pays it
	sheet    string       // the ID of the newest sheet
}

// known returns the order's ID, "" while the page knows none.
func (p *wish) known() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.id
}

// request is what the page sends, the same each time.
func (p *wish) request() api.CreateOrderRequest {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.sent && p.instead != nil {
		p.replaces = p.instead.known()
	}
	p.sent = true
	return api.CreateOrderRequest{Items: p.items, TradeType: p.tradeType, ClientKey: p.key, Replaces: p.replaces}
}

// place sends the basket. It is rejected when what it takes the place of is paid,
// and while the database is full.
func (p *wish) place() {
	req := p.request()
	var c api.Checkout
	seen := p.fullness.look()
	a, ok := p.must(http.MethodPost, api.PathOrders, req, &c, rejected...)
	switch {
	case ok:
		p.keep(c)
		p.checkReplaced(req.Replaces)
	case a.Code == api.CodeShopFull:
		p.fullness.judge(p.world, seen)
		p.fullness.wait(p)
	}
}

// checkReplaced checks that what the order takes the place of is no longer
// offered for payment.
func (p *wish) checkReplaced(id string) {
	if id == "" {
		return
	}
	rows, err := read[struct{ Status api.OrderStatus }](p.world, `SELECT status FROM orders WHERE id = ?`, id)
	if err != nil || len(rows) != 1 || rows[0].Status == api.StatusCreated || rows[0].Status == api.StatusPending {
		p.note(wrong, "", "order %s is replaced and still open: %v, %v", id, rows, err)
	}
}

// giveUp gives the order up.
func (p *wish) giveUp() {
	id := p.known()
	if id == "" {
		return
	}
	var o api.Order
	if _, ok := p.must(http.MethodPost, api.OrderClosePath(id), api.CloseRequest{}, &o, api.CodeOrderPaid); ok {
		p.look(o)
		if o.Status != api.StatusClosing && o.Status != api.StatusClosed && o.Status != api.StatusFailed {
			p.note(wrong, "", "order %s was given up and is %s", id, o.Status)
		}
	}
}

// renew asks for what pays the order again.
func (p *wish) renew() {
	id := p.known()
	if id == "" {
		return
	}
	var c api.Checkout
	if _, ok := p.must(http.MethodPost, api.OrderPayPath(id), api.PayRequest{Renew: true}, &c, api.CodeOrderNotPayable, api.CodeOrderPaid); ok {
		p.keep(c)
	}
}

// keep takes an answer into the page.
func (p *wish) keep(c api.Checkout) {
	p.look(c.Order)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.id != "" && p.id != c.Order.ID {
		p.note(doubled, "", "client_key %s made order %s, then %s", p.key, p.id, c.Order.ID)
	}
	p.id = c.Order.ID
	p.owners.Store(p.id, p.buyer)
	switch {
	case c.Pay != nil && p.tradeType == api.TradeJSAPI,
		c.CodeURL != "" && p.tradeType == api.TradeNative,
		c.MWebURL != "" && p.tradeType == api.TradeMWEB:
		p.pay = c
	case !order.WasPaid(c.Order.Status):
		p.note(wrong, "", "order %s is %s and comes without anything to pay it with", c.Order.ID, c.Order.Status)
	}
}

// look checks what a buyer is told of an order against WeChat's books.
func (p *wish) look(o api.Order) {
	if o.Total != p.total {
		p.note(wrong, "", "order %s costs %d fen, the catalogue says %d", o.ID, o.Total, p.total)
	}
	for i := 1; i < len(o.Timeline); i++ {
		if was, is := o.Timeline[i-1], o.Timeline[i]; !order.CanBecome(was.Status, is.Status) || is.At < was.At {
			p.note(wrong, "", "the time line of order %s: %+v", o.ID, o.Timeline)
			break
		}
	}
	p.told(o)
}

// told checks that nobody is told of a payment that was not made.
func (b *buyer) told(o api.Order) {
	if !order.WasPaid(o.Status) {
		if o.PaymentNo != "" || o.PaidAt != 0 {
			b.note(wrong, "", "order %s is %s and has payment %q", o.ID, o.Status, o.PaymentNo)
		}
		return
	}
	trade, ok := b.wechat.Trade(o.PaymentNo)
	known := o.PaidAt != 0 && trade.Paid.Unix() == o.PaidAt/1000 && !o.PaidAtUnknown
	// Only of a payment that was paid back by hand may the time be unknown, and only
	// until its bill was compared.
	unknown := o.PaidAt == 0 && o.PaidAtUnknown && !b.billed.Load() && !byHand(b.wechat.RefundsOf(trade.OutTradeNo)).IsZero()
	if !ok || trade.TotalFee != int64(o.Total) || !known && !unknown {
		b.note(wrong, trade.OutTradeNo, "a buyer is told that order %s is paid by %q at %d; WeChat has %+v", o.ID, o.PaymentNo, o.PaidAt, trade)
	}
}

// answerSheet pays on the open sheet or closes it.
func (p *wish) answerSheet(answer func(id string) (wechattest.Sheet, error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sheet == "" {
		return
	}
	if _, err := answer(p.sheet); err != nil && !errors.Is(err, wechattest.ErrSheetGone) {
		p.note(wrong, "", "%v", err)
	}
}

// poll asks for the order, as the page does when the sheet has closed.
func (p *wish) poll() {
	id := p.known()
	if id == "" {
		return
	}
	var o api.Order
	if _, ok := p.must(http.MethodGet, api.OrderPath(id), nil, &o); ok {
		p.look(o)
	}
}

// list asks for all orders of the buyer.
func (b *buyer) list() {
	var all api.OrderList
	if _, ok := b.must(http.MethodGet, api.PathOrders, nil, &all); !ok {
		return
	}
	for _, o := range all.Orders {
		b.told(o)
		if owner := b.ownerOf(o.ID); owner != nil && owner != b {
			b.note(wrong, "", "order %s is in the list of a stranger", o.ID)
		}
	}
}

// peep asks for the order of another person and tries to pay it.
func (p *wish) peep(other *wish) {
	id := other.known()
	if id == "" || other.buyer == p.buyer {
		return
	}
	if _, ok := p.must(http.MethodGet, api.OrderPath(id), nil, &api.Order{}, api.CodeNotFound); ok {
		p.note(wrong, "", "a stranger sees order %s", id)
	}
	if _, ok := p.must(http.MethodPost, api.OrderPayPath(id), api.PayRequest{}, &api.Checkout{}, api.CodeNotFound); ok {
		p.note(wrong, "", "a stranger gets to pay order %s", id)
	}
}
