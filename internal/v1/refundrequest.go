package v1

import (
	"h5pay/internal/api"
	"h5pay/internal/fen"
)

// CodeSecondPerson is the error code for a refund that a second person must confirm.
const CodeSecondPerson api.Code = "second_person" // a second person must confirm the refund

// CreateRefundRequest requests a refund that a second person must confirm.
type CreateRefundRequest struct {
	// OutTradeNo is a second payment of the order. The payment that pays the order when it is absent.
	OutTradeNo string  `json:"out_trade_no,omitempty" minLength:"1" maxLength:"32"`
	Amount     fen.Fen `json:"amount" required:"true" minimum:"1" maximum:"100000000"` // fen
	// Reason is the text that the payer reads, 80 bytes of UTF-8 at most.
	Reason      string `json:"reason,omitempty" maxLength:"80"`
	FromBalance bool   `json:"from_balance,omitempty"`
}

// RefundRequest is a refund that a second person must confirm.
type RefundRequest struct {
	ID          string              `json:"id"`
	OrderID     string              `json:"order_id"`
	OutTradeNo  string              `json:"out_trade_no,omitempty"`
	Amount      fen.Fen             `json:"amount"` // fen
	Reason      string              `json:"reason,omitempty"`
	FromBalance bool                `json:"from_balance,omitempty"`
	KeyID       string              `json:"key_id"` // of the API key that requested it
	KeyName     string              `json:"key_name,omitempty"`
	CreatedAt   int64               `json:"created_at"` // Unix ms
	Status      RefundRequestStatus `json:"status"`
	DecidedBy   string              `json:"decided_by,omitempty"` // of the API key that decided
	DecidedName string              `json:"decided_name,omitempty"`
	DecidedAt   int64               `json:"decided_at,omitempty"` // Unix ms
}

// RefundRequestStatus is the status of a request.
type RefundRequestStatus string

// The life of a request: waiting -> confirmed, declined.
const (
	RequestWaiting   RefundRequestStatus = "waiting"
	RequestConfirmed RefundRequestStatus = "confirmed"
	RequestDeclined  RefundRequestStatus = "declined"
)

// Enum returns the statuses of a refund request.
func (RefundRequestStatus) Enum() []any {
	return []any{RequestWaiting, RequestConfirmed, RequestDeclined}
}

// RefundRequests are the waiting requests, oldest first, 100 at most.
type RefundRequests struct {
	Requests []RefundRequest `json:"requests"`
}
