package order

import (
	"slices"

	"h5pay/internal/api"
)

// transitions is the one table of the changes of status there are.
//
// Paid can be reached from everywhere before it, failed included: whether an
// order is paid is WeChat's word alone, and a payment that arrives late, or for
// an order whose unifiedorder call was answered by an error after it had been
// taken, is money all the same. After a payment there are only refunds.
var transitions = [...]struct{ from, to api.OrderStatus }{
	{api.StatusCreated, api.StatusPending},
	{api.StatusPending, api.StatusPending}, // a new prepay_id
	{api.StatusCreated, api.StatusFailed},
	{api.StatusCreated, api.StatusClosing},
	{api.StatusPending, api.StatusClosing},
	{api.StatusCreated, api.StatusClosed},
	{api.StatusPending, api.StatusClosed},
	{api.StatusClosing, api.StatusClosed},
	{api.StatusCreated, api.StatusPaid}, // before the answer of unifiedorder was stored
	{api.StatusPending, api.StatusPaid},
	{api.StatusClosing, api.StatusPaid},
	{api.StatusClosed, api.StatusPaid},
	{api.StatusFailed, api.StatusPaid},
	{api.StatusPaid, api.StatusRefunding},
	{api.StatusRefunding, api.StatusRefunded}, // all of it
	{api.StatusRefunding, api.StatusPaid},     // a part, or a refund that came to nothing
}

// WasPaid reports whether WeChat has said of an order in this status that it
// was paid.
func WasPaid(s api.OrderStatus) bool {
	return s == api.StatusPaid || s == api.StatusRefunding || s == api.StatusRefunded
}

// CanBecome reports whether an order may go from one status to another.
func CanBecome(from, to api.OrderStatus) bool {
	return slices.ContainsFunc(transitions[:], func(t struct{ from, to api.OrderStatus }) bool {
		return t.from == from && t.to == to
	})
}

// Sources returns the statuses that lead to one.
func Sources(to api.OrderStatus) []api.OrderStatus {
	var from []api.OrderStatus
	for _, t := range transitions {
		if t.to == to {
			from = append(from, t.from)
		}
	}
	return from
}

// Open reports whether an order in this status waits for a payment.
func Open(s api.OrderStatus) bool { return s == api.StatusCreated || s == api.StatusPending }
