package order

import (
	"slices"

	"h5pay/internal/api"
)

// transitions holds all changes of an order's status.
//
// Every status before paid leads to paid, also failed. WeChat alone decides whether an
// order is paid. A payment may come late, or after unifiedorder returned an error for an
// order that WeChat had accepted. After a payment there are only refunds.
//
// Triggers write refunding, refunded and paid again: refund_begins and refund_goes_on.
var transitions = [...]struct{ from, to api.OrderStatus }{
	{api.StatusCreated, api.StatusPending},
	{api.StatusPending, api.StatusPending}, // a new prepay_id
	{api.StatusCreated, api.StatusFailed},
	{api.StatusCreated, api.StatusClosing},
	{api.StatusPending, api.StatusClosing},
	{api.StatusCreated, api.StatusClosed},
	{api.StatusPending, api.StatusClosed},
	{api.StatusClosing, api.StatusClosed},
	{api.StatusCreated, api.StatusPaid}, // before the response of unifiedorder was stored
	{api.StatusPending, api.StatusPaid},
	{api.StatusClosing, api.StatusPaid},
	{api.StatusClosed, api.StatusPaid},
	{api.StatusFailed, api.StatusPaid},
	{api.StatusPaid, api.StatusRefunding},
	{api.StatusRefunding, api.StatusRefunded}, // the whole total
	{api.StatusRefunding, api.StatusPaid},     // a part, or a refund that failed
}

// WasPaid reports whether an order in this status was paid.
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
