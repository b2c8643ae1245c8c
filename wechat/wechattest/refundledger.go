package wechattest

import (
	"errors"
	"time"
)

// The states of a Refund (docs/wechat.md 10.4).
const (
	RefundProcessing = "PROCESSING"
	RefundSuccess    = "SUCCESS"
	RefundClosed     = "REFUNDCLOSE" // the money stays with the merchant
	RefundChange     = "CHANGE"      // it cannot be returned to the payer's account
)

// ErrUnknownRefund is returned for an out_refund_no that WeChat does not know.
var ErrUnknownRefund = errors.New("no such refund")

// refundTime is the default of Config.RefundTime.
const refundTime = 5 * time.Second

// Refund is a refund to the payer.
type Refund struct {
	Version       string `json:"version"` // of the API that requested it; VersionV2 for a refund by hand
	OutTradeNo    string `json:"out_trade_no"`
	OutRefundNo   string `json:"out_refund_no"`
	TransactionID string `json:"transaction_id"`
	RefundID      string `json:"refund_id"`
	TotalFee      int64  `json:"total_fee"`                   // fen, of the order
	Fee           int64  `json:"refund_fee"`                  // fen
	CouponFee     int64  `json:"coupon_refund_fee,omitempty"` // fen of Fee that go back into coupons
	Status        string `json:"refund_status"`
	Account       string `json:"refund_account"`
	Reason        string `json:"refund_desc,omitempty"`
	// Source is API, or VENDOR_PLATFORM for a refund by hand.
	Source    string `json:"refund_request_source"`
	NotifyURL string `json:"notify_url,omitempty"` // empty: no notification
	// NotifyVersion is the API of its notifications. It is VersionV3 if the refund was
	// requested by APIv3 with a NotifyURL.
	NotifyVersion string    `json:"notify_version"`
	Created       time.Time `json:"created"`
	Done          time.Time `json:"done,omitzero"` // when it left PROCESSING
}

// refund is a Refund with its order.
type refund struct {
	Refund
	order *order
}

// addRefund enters a refund and plans its end; the caller holds w.mu.
func (w *WeChat) addRefund(o *order, f Refund, now time.Time) *refund {
	f.OutTradeNo, f.TransactionID, f.TotalFee = o.OutTradeNo, o.trade.TransactionID, o.TotalFee
	f.RefundID, f.Status, f.Created = w.ids.refundID(now), RefundProcessing, now
	if f.Account == "" {
		f.Account = accountUnsettled
	}
	f.NotifyVersion = VersionV2
	if f.Version == VersionV3 && f.NotifyURL != "" {
		f.NotifyVersion = VersionV3
	}
	if f.NotifyURL == "" {
		f.NotifyURL = w.cfg.RefundNotifyURL
	}
	// The last part returns the coupons.
	back := f.Fee
	for _, r := range o.refunds {
		if r.Status != RefundClosed {
			back += r.Fee
		}
	}
	if back == o.TotalFee {
		f.CouponFee = min(o.trade.CouponFee, f.Fee)
	}
	r := &refund{Refund: f, order: o}
	o.State = StateRefund
	o.refunds = append(o.refunds, r)
	w.refunds = append(w.refunds, r)
	status, wait := RefundSuccess, w.cfg.RefundTime
	if _, ok := w.takeFault(FaultRefundClosed, ""); ok {
		status = RefundClosed
	} else if _, ok := w.takeFault(FaultRefundChange, ""); ok {
		status = RefundChange
	}
	if f, ok := w.takeFault(FaultRefundSlow, ""); ok {
		wait = time.Duration(f.DelayMS) * time.Millisecond
	}
	view := r.Refund
	w.publish(Event{Kind: EventRefund, Refund: &view})
	due := now.Add(wait)
	w.clock.at(due, func() { w.endRefund(r, status, due) })
	return r
}

// endRefund sets the final state of a refund and notifies the shop.
func (w *WeChat) endRefund(r *refund, status string, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r.Status, r.Done = status, now
	if r.NotifyURL != "" {
		w.planNotification(r.order, r, now)
	}
	view := r.Refund
	w.publish(Event{Kind: EventRefund, Refund: &view})
}

// findRefund finds a refund by its out_refund_no, which is unique for the merchant; the
// caller holds w.mu.
func (w *WeChat) findRefund(outRefundNo string) *refund {
	for _, r := range w.refunds {
		if r.OutRefundNo == outRefundNo {
			return r
		}
	}
	return nil
}

// fields are the reply to refund.
func (r *refund) fields() []pair {
	t := r.order.trade
	fs := []pair{
		{"transaction_id", r.TransactionID}, {"out_trade_no", r.OutTradeNo}, {"out_refund_no", r.OutRefundNo}, {"refund_id", r.RefundID},
		{"refund_channel", ""}, {"refund_fee", itoa(r.Fee)}, {"settlement_refund_fee", itoa(r.Fee - noCash(r.coupons()))},
		{"total_fee", itoa(r.TotalFee)}, {"settlement_total_fee", itoa(r.TotalFee - noCash(t.Coupons))}, {"fee_type", "CNY"},
		{"cash_fee", itoa(t.CashFee)}, {"cash_refund_fee", itoa(r.Fee - r.CouponFee)},
	}
	return append(fs, r.couponFields("")...)
}
