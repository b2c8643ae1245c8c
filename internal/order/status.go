package order

import "h5pay/internal/api"

// orderTransitions holds all changes of an order's status.
//
// Every status before paid leads to paid. WeChat alone decides whether a payment of an
// order is paid, and that may become known late. After a payment there are only refunds.
//
// Triggers write most of them: paid (payment_is_paid), closing -> closed (payment_ends),
// refunding, refunded and paid again (refund_begins and refund_goes_on).
var orderTransitions = transitions[api.OrderStatus]{
	{api.StatusOpen, api.StatusClosing}, // a payment of it can still be paid at WeChat
	{api.StatusOpen, api.StatusClosed},
	{api.StatusClosing, api.StatusClosed},
	{api.StatusOpen, api.StatusPaid},
	{api.StatusClosing, api.StatusPaid},
	{api.StatusClosed, api.StatusPaid},
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
	return orderTransitions.has(from, to)
}
