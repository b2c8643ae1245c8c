package order

import (
	"time"

	"h5pay/internal/fen"
)

// RefundRequest is a refund that a second person has to confirm.
type RefundRequest struct {
	ID          string
	OrderID     string
	OutTradeNo  string // "" for the payment that pays the order
	Amount      fen.Fen
	Reason      string
	FromBalance bool
	KeyID       string // of who asks for it
	KeyName     string
	CreatedAt   time.Time
	Status      string // RequestWaiting, RequestConfirmed or RequestDeclined
	DecidedBy   string // the key of who decided
	DecidedName string
	DecidedAt   time.Time
}

// The statuses of a refund request: waiting -> confirmed, declined.
const (
	RequestWaiting   = "waiting"
	RequestConfirmed = "confirmed"
	RequestDeclined  = "declined"
)
