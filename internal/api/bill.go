package api

// BillCheck is the result of comparing a day's bill with the orders.
type BillCheck struct {
	Date        string           `json:"date"`
	Status      string           `json:"status"` // "agrees", "differs", "waiting" (the bill is not ready), "failed"
	CheckedAt   int64            `json:"checked_at,omitempty"`
	Payments    int              `json:"payments"` // in the bill
	Refunds     int              `json:"refunds"`  // in the bill
	Differences []BillDifference `json:"differences,omitempty"`
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
