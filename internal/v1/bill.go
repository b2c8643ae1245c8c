package v1

import "h5pay/internal/fen"

// Bill is the comparison of WeChat's bill of a day with the stored payments and refunds.
type Bill struct {
	Date        string           `json:"date"` // "2026-03-01", a day in Beijing
	Status      BillStatus       `json:"status"`
	CheckedAt   int64            `json:"checked_at,omitempty"` // Unix ms
	Payments    int              `json:"payments"`             // in the bill
	Refunds     int              `json:"refunds"`              // in the bill
	Differences []BillDifference `json:"differences,omitempty"`
	// Trade is what the trade bill comes to. Absent until a comparison has ended.
	Trade *BillMoney `json:"trade,omitempty"`
	// Funds is what the fund-flow bill comes to. Absent until it was read, and with APIv2,
	// which does not offer it.
	Funds *BillFunds `json:"funds,omitempty"`
	// FundsPending means that the fund-flow bill could not be read, and will be fetched again.
	FundsPending bool `json:"funds_pending,omitempty"`
	// FundsDifference is the settlement of Funds less that of Trade. In fen. A payment just before
	// midnight may be in the next day's fund-flow bill.
	FundsDifference fen.Fen `json:"funds_difference,omitempty"`
	// Running is the progress of a comparison that is under way. Only in the response about one day.
	Running *BillProgress `json:"running,omitempty"`
}

// BillProgress is the progress of a comparison that is under way.
type BillProgress struct {
	Compared int `json:"compared"` // rows of the bill
	Rows     int `json:"rows"`     // of the bill; 0 until a bill of more than 2,000 rows was fetched
}

// BillMoney is what the payments and refunds of a day come to. In fen.
type BillMoney struct {
	Income     fen.Fen `json:"income"`     // fen, for orders, without coupons that WeChat does not settle
	Refunded   fen.Fen `json:"refunded"`   // fen
	Fees       fen.Fen `json:"fees"`       // fen, less what WeChat returned with refunds
	Settlement fen.Fen `json:"settlement"` // fen: income - refunded - fees
}

// BillFunds is what moved on the merchant's account in a day. In fen.
type BillFunds struct {
	BillMoney
	Other   fen.Fen `json:"other"`   // fen, all other movements, like withdrawals (negative)
	Balance fen.Fen `json:"balance"` // fen, after the last movement
}

// BillStatus is the result of a comparison.
type BillStatus string

// The results.
const (
	BillAgrees  BillStatus = "agrees"
	BillDiffers BillStatus = "differs"
	BillWaiting BillStatus = "waiting" // WeChat has no bill of the day yet
	BillFailed  BillStatus = "failed"  // the bill could not be read; it is tried again
)

// BillDifference is one difference. It is about a refund if OutRefundNo is set, and about
// a payment otherwise.
type BillDifference struct {
	Kind        DifferenceKind `json:"kind"`
	OutTradeNo  string         `json:"out_trade_no"`
	OutRefundNo string         `json:"out_refund_no,omitempty"`
	Ours        string         `json:"ours,omitempty"`
	Theirs      string         `json:"theirs,omitempty"`
}

// DifferenceKind is the kind of a difference.
type DifferenceKind string

// The kinds.
const (
	MissingHere   DifferenceKind = "missing_here"
	MissingThere  DifferenceKind = "missing_there"
	AmountDiffers DifferenceKind = "amount"
	StatusDiffers DifferenceKind = "status"
	NumberDiffers DifferenceKind = "number" // another payment or refund
	ListedTwice   DifferenceKind = "twice"
)

// Bills are the last 31 days that were compared, newest first, with the first 100
// differences of each.
type Bills struct {
	Bills []Bill `json:"bills"`
}
