package order

import (
	"io"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/fen"
)

// WeChat's limits of refunds.
const (
	MaxRefunds  = 50 // of one order
	RefundYears = 1  // since the payment
)

// Refund is money on its way back to the payer, as it is stored.
type Refund struct {
	ID      string // WeChat's out_refund_no: 32 digits and upper-case letters, or whatever the merchant platform made
	OrderID string
	Key     string // unique for the order; "" of a refund that was not made here

	// The parameters of the call, which never change, but for FromBalance: WeChat
	// takes a repeated call for the same ID only when it is the same.
	Amount    fen.Fen
	Reason    string
	NotifyURL string
	CreatedAt time.Time

	// FromBalance says that the money comes from the merchant's available balance,
	// instead of from takings that are not settled. UseBalance and SwitchSource change
	// it later.
	FromBalance bool

	Status   api.RefundStatus
	RefundID string    // WeChat's number, once it is known to have taken the refund
	TakenAt  time.Time // when that became known
	RefundFailure
	QueriedAt time.Time // zero when WeChat was never sent it nor asked
	EndedAt   time.Time
	UpdatedAt time.Time

	// Of the order.
	OutTradeNo    string
	TransactionID string
	Total         fen.Fen
}

// RefundFailure is why WeChat last declined a refund that it has not taken.
type RefundFailure struct {
	Failure     string // WeChat's code, "FAIL" when it gave none
	FailureText string // WeChat's words, cleaned and bounded
	Stuck       bool   // a retry does not cure it: the operator has to act
	FromBalance bool   // whether the next call takes the available balance
}

// NewRefundID returns a number for WeChat, like NewOutTradeNo.
func NewRefundID(rand io.Reader, now time.Time) (string, error) { return NewOutTradeNo(rand, now) }

// Public returns the refund as the operator may see it.
func (r *Refund) Public() api.Refund {
	p := api.Refund{
		ID:        r.ID,
		Amount:    r.Amount,
		Reason:    r.Reason,
		Status:    r.Status,
		CreatedAt: r.CreatedAt.UnixMilli(),
		Failure:   r.Failure,

		FailureText: r.FailureText,
		FromBalance: r.FromBalance,
	}
	if r.Stuck || r.Status == api.RefundAbnormal {
		p.Cure = r.cure()
	}
	if !r.EndedAt.IsZero() {
		p.EndedAt = r.EndedAt.UnixMilli()
	}
	return p
}

// cure is what an operator can do about a refund that a retry does not help.
func (r *Refund) cure() string {
	switch {
	case r.Status == api.RefundAbnormal:
		return "pay it out at the merchant platform: the payer's account takes no money"
	case r.Failure != "NOTENOUGH":
		return "correct the API key, merchant number, permission or certificate that failure_text names, then repeat the call with the same refund_key"
	case r.FromBalance:
		return "pay in at the merchant platform, then repeat the call with the same refund_key"
	}
	return "repeat the call with the same refund_key and from_balance: true, to use the available balance"
}
