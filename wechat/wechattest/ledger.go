package wechattest

import (
	"errors"
	"slices"
	"time"
)

// The trade states that an order of this simulator can be in
// (docs/wechat.md 7.3).
const (
	StateNotPay  = "NOTPAY"
	StateSuccess = "SUCCESS"
	StateClosed  = "CLOSED"
	StateRefund  = "REFUND" // paid, and a refund of it was accepted
)

// ErrUnknownOrder is returned for an out_trade_no that WeChat never accepted.
var ErrUnknownOrder = errors.New("no such order")

// Ledger is everything that WeChat knows about money, oldest first.
type Ledger struct {
	Orders        []Order        `json:"orders"`
	Trades        []Trade        `json:"trades"`
	Refunds       []Refund       `json:"refunds"`
	Notifications []Notification `json:"notifications"`
}

// Order is what unifiedorder or a prepay call of APIv3 accepted.
type Order struct {
	OutTradeNo string    `json:"out_trade_no"`
	Version    string    `json:"version"` // VersionV2 or VersionV3
	State      string    `json:"state"`   // NOTPAY, SUCCESS, CLOSED, REFUND
	TradeType  string    `json:"trade_type"`
	TotalFee   int64     `json:"total_fee"` // fen
	Body       string    `json:"body"`
	Attach     string    `json:"attach,omitempty"`
	OpenID     string    `json:"openid,omitempty"`
	NotifyURL  string    `json:"notify_url"`
	SignType   string    `json:"sign_type"` // RSA in APIv3
	ClientIP   string    `json:"spbill_create_ip"`
	PrepayIDs  []string  `json:"prepay_ids"`         // newest last
	CodeURL    string    `json:"code_url,omitempty"` // of NATIVE, the one that is valid
	MwebURL    string    `json:"mweb_url,omitempty"` // of MWEB, the newest
	Created    time.Time `json:"created"`
	Expires    time.Time `json:"expires"` // time_expire, or its default
}

// Trade is one payment.
type Trade struct {
	TransactionID string    `json:"transaction_id"`
	OutTradeNo    string    `json:"out_trade_no"`
	OpenID        string    `json:"openid"`
	TotalFee      int64     `json:"total_fee"`            // fen
	CashFee       int64     `json:"cash_fee"`             // fen; less than TotalFee when a coupon was used
	CouponFee     int64     `json:"coupon_fee,omitempty"` // fen of TotalFee that Coupons paid
	Coupons       []Coupon  `json:"coupons,omitempty"`
	CountsCoupons bool      `json:"counts_coupons,omitempty"` // messages have coupon_count, also of 0 coupons
	BankType      string    `json:"bank_type"`
	Subscribed    bool      `json:"is_subscribe"`
	Paid          time.Time `json:"paid"`
}

// order is an Order with WeChat's internal state of it.
type order struct {
	Order
	identity string // every parameter but nonce_str and sign, for re-entry
	device   string
	trade    *Trade // set once paid
	refunds  []*refund
}

// prepay is one prepay_id.
type prepay struct {
	order   *order
	made    time.Time
	codeURL string // of NATIVE
	secret  string // of MWEB: the parameter package of its mweb_url
	openID  string // of MWEB: who opened it first
	sheet   *sheet // of MWEB: the last one
}

// fields are the trade's fields as notification and query carry them.
func (o *order) fields(t Trade) []pair {
	yes := "N"
	if t.Subscribed {
		yes = "Y"
	}
	fs := []pair{
		{"openid", t.OpenID}, {"is_subscribe", yes}, {"trade_type", o.TradeType}, {"bank_type", t.BankType},
		{"total_fee", itoa(t.TotalFee)}, {"fee_type", "CNY"}, {"cash_fee", itoa(t.CashFee)}, {"cash_fee_type", "CNY"},
		{"transaction_id", t.TransactionID}, {"out_trade_no", o.OutTradeNo},
		{"time_end", t.Paid.In(beijing).Format(payTime)},
	}
	if o.Attach != "" {
		fs = append(fs, pair{"attach", o.Attach})
	}
	if o.device != "" {
		fs = append(fs, pair{"device_info", o.device})
	}
	return append(fs, t.couponFields()...)
}

// Ledger returns a copy of the books.
func (w *WeChat) Ledger() Ledger {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := Ledger{Orders: []Order{}, Trades: []Trade{}, Refunds: []Refund{}, Notifications: []Notification{}}
	for _, o := range w.orderList {
		c := o.Order
		c.PrepayIDs = slices.Clone(c.PrepayIDs)
		l.Orders = append(l.Orders, c)
		if o.trade != nil {
			l.Trades = append(l.Trades, *o.trade)
		}
	}
	for _, r := range w.refunds {
		l.Refunds = append(l.Refunds, r.Refund)
	}
	for _, n := range w.notifications {
		l.Notifications = append(l.Notifications, n.view())
	}
	return l
}

// Trade returns the payment with this transaction_id, and whether there is one.
func (w *WeChat) Trade(transactionID string) (Trade, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if transactionID == "" {
		return Trade{}, false
	}
	o := w.findOrder(transactionID, "")
	if o == nil {
		return Trade{}, false
	}
	return *o.trade, true
}

// RefundsOf returns the refunds of an order, oldest first.
func (w *WeChat) RefundsOf(outTradeNo string) []Refund {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []Refund
	if o := w.orders[outTradeNo]; o != nil {
		for _, r := range o.refunds {
			all = append(all, r.Refund)
		}
	}
	return all
}

// CloseOrder closes an unpaid order from WeChat's side, without the five
// minutes that closeorder demands.
func (w *WeChat) CloseOrder(outTradeNo string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.orders[outTradeNo]
	switch {
	case o == nil:
		return ErrUnknownOrder
	case o.trade != nil:
		return errors.New("the order is paid")
	}
	o.State = StateClosed
	return nil
}

// settle pays an order; the caller holds w.mu and the order is NOTPAY.
func (w *WeChat) settle(o *order, payer User) {
	now := w.Now()
	t := &Trade{
		TransactionID: w.ids.transactionID(now), OutTradeNo: o.OutTradeNo, OpenID: payer.OpenID,
		TotalFee: o.TotalFee, CashFee: o.TotalFee, Subscribed: payer.Subscribed, Paid: now,
		BankType: []string{"OTHERS", "ICBC_DEBIT", "CMB_CREDIT"}[w.ids.intn(3)],
	}
	// docs/wechat.md 6.1: cash_fee is less than total_fee when
	// coupons apply. A shop that compares the wrong one fails here.
	w.drawCoupons(t)
	o.trade = t
	o.State = StateSuccess
}

// findOrder prefers transaction_id, as WeChat does (docs/wechat.md 7.1); the caller
// holds w.mu.
func (w *WeChat) findOrder(transactionID, outTradeNo string) *order {
	if transactionID == "" {
		return w.orders[outTradeNo]
	}
	for _, o := range w.orderList {
		if o.trade != nil && o.trade.TransactionID == transactionID {
			return o
		}
	}
	return nil
}

func (n *notification) view() Notification {
	v := n.Notification
	v.Attempts = append([]Attempt{}, n.Attempts...)
	return v
}
