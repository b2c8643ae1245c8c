package v1

// Bill is the comparison of WeChat's bill of a day with the stored payments and refunds.
type Bill struct {
	Date        string           `json:"date"` // "2026-03-01", a day in Beijing
	Status      BillStatus       `json:"status"`
	CheckedAt   int64            `json:"checked_at,omitempty"` // Unix ms
	Payments    int              `json:"payments"`             // in the bill
	Refunds     int              `json:"refunds"`              // in the bill
	Differences []BillDifference `json:"differences,omitempty"`
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
