package order

import (
	"io"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/fen"
)

// WeChat's limits of refunds.
const (
	MaxRefunds  = 50 // of one payment
	RefundYears = 1  // since the payment
)

// Refund is a refund as it is stored.
type Refund struct {
	ID         string // WeChat's out_refund_no: 32 digits and upper-case letters, or what the merchant platform made
	OrderID    string
	OutTradeNo string // the payment
	Key        string // unique for the order; "" of a refund that was not made here
	// Fingerprint is that of the request of a back end under Key, without from_balance.
	Fingerprint string

	// The parameters of the call. Except FromBalance they never change, because WeChat
	// accepts a repeated ID only with identical parameters.
	APIVersion string // of the payment
	Amount     fen.Fen
	Reason     string
	NotifyURL  string
	CreatedAt  time.Time

	// FromBalance takes the money from the merchant's available balance, instead of
	// from unsettled takings. The store's UseBalance and SwitchSource change it later.
	FromBalance bool

	Status     api.RefundStatus
	RefundID   string    // WeChat's number; "" until WeChat is known to have accepted the refund
	AcceptedAt time.Time // when that became known
	RefundFailure
	QueriedAt time.Time // when it was last sent or queried; zero if never
	EndedAt   time.Time
	UpdatedAt time.Time

	// Of the payment.
	TransactionID string
	Total         fen.Fen
	Duplicate     bool // a refund of a whole payment, because another payment pays the order
}

// RefundFailure is the reason why WeChat last declined a refund.
type RefundFailure struct {
	Failure     string // WeChat's code, "FAIL" without one
	FailureText string // WeChat's message, cleaned and shortened
	Stuck       bool   // a retry does not help: the operator has to act
	FromBalance bool   // whether the next call uses the available balance
}

// DuplicateRefundID returns the out_refund_no of the refund of a payment that is a
// duplicate. The trigger payment_is_paid stores it. It follows from the payment, so that a
// database that was restored sends the same refund again, which WeChat pays once.
func DuplicateRefundID(outTradeNo string) string { return "DUP" + outTradeNo }

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
		Duplicate:   r.Duplicate,
	}
	if r.Stuck || r.Status == api.RefundAbnormal {
		p.Advice = r.advice()
	}
	if !r.EndedAt.IsZero() {
		p.EndedAt = r.EndedAt.UnixMilli()
	}
	return p
}

// advice returns what the operator can do about a refund that a retry does not repair. Such a
// refund is sent again at least once a day, and at once by a repeated call.
func (r *Refund) advice() string {
	repeat := "repeat the call that made the refund, with its Idempotency-Key"
	switch {
	case r.Status == api.RefundAbnormal:
		return "pay it out at the merchant platform: the payer's account takes no money"
	case r.ID == DuplicateRefundID(r.OutTradeNo): // no call made it
		repeat = "it is sent again within a day"
	}
	switch {
	case r.Failure != "NOT_ENOUGH":
		return "correct the API key, merchant number, permission or certificate that failure_text names, then " + repeat
	case r.FromBalance || r.ID == DuplicateRefundID(r.OutTradeNo):
		return "pay in at the merchant platform, then " + repeat
	}
	return repeat + " and from_balance: true, to use the available balance"
}
