package wechattest

import "strconv"

// The types of a coupon, coupon_type_$n (docs/wechat.md 6.1). The merchant paid for a CASH
// coupon in advance, and WeChat settles its amount. WeChat does not settle the amount of a
// NO_CASH coupon.
const (
	CouponCash   = "CASH"
	CouponNoCash = "NO_CASH"
)

// Coupon pays for a part of a trade.
type Coupon struct {
	ID   string `json:"coupon_id"`
	Type string `json:"coupon_type"` // CASH or NO_CASH
	Fee  int64  `json:"coupon_fee"`  // fen
	// Untyped coupons have no coupon_type_$n in messages.
	Untyped bool `json:"untyped,omitempty"`
}

// maxCoupons is how many coupons a payment has at most.
const maxCoupons = 3

// drawCoupons lets coupons pay for a part of a trade. With the fault coupons there are
// three of them, one without a type, as far as the amount allows. A hostile simulator
// draws none to three. The caller holds w.mu.
func (w *WeChat) drawCoupons(t *Trade) {
	n, played := 0, false
	if w.cfg.Hostile && w.ids.intn(4) == 0 {
		n = w.ids.intn(maxCoupons + 1)
		t.CountsCoupons = true // coupon_count is there, also when it is 0
	}
	if _, played = w.takeFault(FaultCoupons, ""); played {
		n, t.CountsCoupons = maxCoupons, true
	}
	for i := 0; i < n && t.CashFee > 1; i++ {
		c := Coupon{ID: "1" + w.ids.text(digits, 9), Type: CouponCash, Fee: 1 + int64(w.ids.intn(int(min(t.CashFee-1, 50))))}
		if w.ids.intn(2) == 0 {
			c.Type = CouponNoCash
		}
		c.Untyped = played && i == 1 || !played && w.ids.intn(3) == 0
		t.Coupons = append(t.Coupons, c)
		t.CashFee -= c.Fee
		t.CouponFee += c.Fee
	}
}

// noCash is the sum of the coupons that WeChat does not settle.
func noCash(coupons []Coupon) (sum int64) {
	for _, c := range coupons {
		if c.Type == CouponNoCash {
			sum += c.Fee
		}
	}
	return sum
}

// couponFields are the coupons of a payment, as notification and query carry them.
func (t Trade) couponFields() []pair {
	if !t.CountsCoupons {
		return nil
	}
	fs := []pair{{"coupon_fee", itoa(t.CouponFee)}, {"coupon_count", itoa(int64(len(t.Coupons)))}}
	if lost := noCash(t.Coupons); lost > 0 {
		fs = append(fs, pair{"settlement_total_fee", itoa(t.TotalFee - lost)})
	}
	for i, c := range t.Coupons {
		n := "_" + strconv.Itoa(i)
		fs = append(fs, pair{"coupon_id" + n, c.ID}, pair{"coupon_fee" + n, itoa(c.Fee)})
		if !c.Untyped {
			fs = append(fs, pair{"coupon_type" + n, c.Type})
		}
	}
	return fs
}

// back are the coupons that fee fen of a refund go back into, the first ones of the
// trade first.
func (t Trade) back(fee int64) (back []Coupon) {
	for _, c := range t.Coupons {
		if c.Fee = min(c.Fee, fee); c.Fee > 0 {
			back = append(back, c)
			fee -= c.Fee
		}
	}
	return back
}

// coupons is the part of a refund that returns to coupons.
func (r *refund) coupons() []Coupon { return r.order.trade.back(r.CouponFee) }

// couponFields are the coupons of a refund. suffix names it among several: "", or "_0".
func (r *refund) couponFields(suffix string) []pair {
	back := r.coupons()
	fs := []pair{{"coupon_refund_fee" + suffix, itoa(r.CouponFee)}, {"coupon_refund_count" + suffix, itoa(int64(len(back)))}}
	for i, c := range back {
		n := suffix + "_" + strconv.Itoa(i)
		fs = append(fs, pair{"coupon_refund_id" + n, c.ID}, pair{"coupon_refund_fee" + n, itoa(c.Fee)})
		if !c.Untyped {
			fs = append(fs, pair{"coupon_type" + n, c.Type})
		}
	}
	return fs
}
