package wechat

import (
	"errors"
	"time"
)

// Bill has the payments and refunds of a merchant in a day, of all appids that it
// has. Amounts are sums over the rows.
type Bill struct {
	Rows        []BillRow
	Total       Fen // of the orders
	Refund      Fen // requested
	Settled     Fen // what the merchant gets for the orders, before the fee
	SettledBack Fen // the merchant's part of the refunds
	Fee         Fee
}

// BillRow is a payment, or a refund on the day it was requested.
type BillRow struct {
	Time          time.Time // of the payment, or of the request for a refund
	AppID, MchID  string
	TransactionID string
	OutTradeNo    string
	OpenID        string
	TradeType     TradeType
	State         TradeState // StateSuccess of a payment, StateRefund of a refund, StateRevoked
	Currency      string
	Total         Fen // of the order; 0 in the row of a refund
	Settled       Fen // of Total, without coupons that the merchant is not paid for
	Coupon        Fen
	RefundID      string // this and the next five: "" and 0 in the row of a payment
	OutRefundNo   string
	Refund        Fen // requested
	SettledBack   Fen
	CouponBack    Fen
	RefundState   RefundState // when the bill was made
	Body, Attach  string      // as the order had them; the first cell to be guarded in a spreadsheet
	Fee           Fee         // negative in a refund
	Rate          string      // "0.60%"
}

// Settlement is what the payments of the day brought the merchant: without refunds and fees.
func (b Bill) Settlement() Fen { return b.Settled - b.SettledBack - b.Fee.Fen() }

// Fee is what WeChat keeps, in thousandths of a fen.
type Fee int64

// Fen returns the fee in fen, rounded half away from zero.
func (f Fee) Fen() Fen {
	if f < 0 {
		return -(-f).Fen()
	}
	return Fen((f + 500) / 1000)
}

// Bills (docs/wechat.md 12.1).
const (
	maxBill  = 8 << 20 // bytes, about 25 000 rows
	billHour = 10      // of the next day, in Beijing, when a bill is ready
)

// CodeNoBill is the code of a day without trades.
const CodeNoBill = "NO_STATEMENT_EXIST"

// billReady returns an error before the bill of a day is ready.
func billReady(op string, now, day time.Time) error {
	y, m, d := day.In(beijing).Date()
	if now.Before(time.Date(y, m, d+1, billHour, 0, 0, 0, beijing)) {
		return &Error{Op: op, Message: "not sent: the bill is not ready before ten o'clock of the next day", Kind: Retry}
	}
	return nil
}

// emptyBill turns the failure of a day without trades into an empty bill.
func emptyBill(err error) (Bill, error) {
	var e *Error
	if errors.As(err, &e) && e.Code == CodeNoBill {
		return Bill{}, nil
	}
	return Bill{}, err
}
