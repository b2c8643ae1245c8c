package api

import "h5pay/internal/fen"

// BillCheck is the result of comparing a day's bill with the orders.
type BillCheck struct {
	Date        string           `json:"date"`
	Status      string           `json:"status"` // "agrees", "differs", "waiting" (the bill is not ready), "failed"
	CheckedAt   int64            `json:"checked_at,omitempty"`
	Payments    int              `json:"payments"` // in the bill
	Refunds     int              `json:"refunds"`  // in the bill
	Differences []BillDifference `json:"differences,omitempty"`

	Trade BillMoney  // by the trade bill; zero until a comparison has ended
	Funds *BillFunds // by the fund-flow bill; nil until it was read
	// FundsPending means that the fund-flow bill will be fetched again.
	FundsPending bool

	LeasedUntil int64 // Unix ms; until then a run is under way
	Compared    int   // rows of the bill, by the run under way, of a bill of several pages
	RowsOfBill  int   // 0 until the bill was fetched
}

// BillMoney is what the payments and refunds of a day come to, in fen.
type BillMoney struct {
	Income   fen.Fen // for orders, without coupons that WeChat does not settle
	Refunded fen.Fen
	Fees     fen.Fen // of WeChat, less what it returned with refunds
}

// Settlement is what the merchant gets for the day, in fen.
func (m BillMoney) Settlement() fen.Fen { return m.Income - m.Refunded - m.Fees }

// BillFunds is what moved on the merchant's account in a day, in fen.
type BillFunds struct {
	BillMoney
	Other   fen.Fen // all other movements, like withdrawals (negative)
	Balance fen.Fen // after the last movement
}

// BillDifference is one difference between the bill and the orders. It is about a refund if
// OutRefundNo is set, else about a payment.
type BillDifference struct {
	// Kind is "missing_here", "missing_there", "amount", "status", "number" (another payment or
	// refund) or "twice" (twice in the bill).
	Kind        string `json:"kind"`
	OutTradeNo  string `json:"out_trade_no"`
	OutRefundNo string `json:"out_refund_no,omitempty"`
	Ours        string `json:"ours,omitempty"`
	Theirs      string `json:"theirs,omitempty"`
}
