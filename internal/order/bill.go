package order

import (
	"time"

	"h5pay/internal/fen"
)

// BillDays are the days whose bills a timer checks without being asked: those
// before today in Beijing.
const BillDays = 7

// The statuses of a check.
const (
	BillAgrees  = "agrees"
	BillDiffers = "differs"
	BillWaiting = "waiting" // WeChat has no bill yet
	BillFailed  = "failed"  // the bill cannot be had, or not be read
)

// BillRun is one run of the check of a day's bill. Only the run that holds the
// day's lease may store anything.
type BillRun struct {
	Date string // "2026-03-01"
	ID   string // random
}

// Entry is a payment or a refund as the books have it, to be compared with
// WeChat's.
type Entry struct {
	OutTradeNo  string
	OutRefundNo string // "" of a payment
	Number      string // transaction_id or refund_id; "" when WeChat has not been heard to have it
	Amount      fen.Fen
	Status      string    // of the order, or of the refund
	At          time.Time // of the payment, or when it became known that there was one, or that WeChat took the refund
	Incomplete  bool      // a payment of which payer or time are not known
}
