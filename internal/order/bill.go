package order

import (
	"time"

	"h5pay/internal/fen"
)

// BillDays is how many days' bills the timer compares, up to yesterday in Beijing.
const BillDays = 7

// The statuses of a check.
const (
	BillAgrees  = "agrees"
	BillDiffers = "differs"
	BillWaiting = "waiting" // WeChat has no bill yet
	BillFailed  = "failed"  // the download failed, or the bill is malformed
)

// BillRun is one comparison of a day's bill. Only the run that holds the day's lease
// stores a result.
type BillRun struct {
	Date string // "2026-03-01"
	ID   string // random
}

// Entry is a payment or a refund as stored here, to be compared with WeChat's bill.
type Entry struct {
	OutTradeNo  string
	OutRefundNo string // "" of a payment
	Number      string // transaction_id or refund_id; "" until WeChat has reported it
	Amount      fen.Fen
	Status      string    // of the order, or of the refund
	At          time.Time // of the payment; if unknown, or for a refund, when WeChat first reported it
	Incomplete  bool      // a payment whose payer or time is unknown
}
