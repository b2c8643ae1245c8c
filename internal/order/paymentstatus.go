package order

import "h5pay/internal/api"

// paymentTransitions holds all changes of a payment's status.
//
// Every status before paid leads to paid, also failed. WeChat alone decides whether a
// payment is paid. It may report that late, or after unifiedorder returned an error for a
// payment that WeChat had accepted.
//
// Triggers write closing: order_closes, and payment_is_paid for the other payments of an
// order. StopOffering of internal/store writes it for one payment of an open order.
var paymentTransitions = transitions[api.PaymentStatus]{
	{api.PaymentCreated, api.PaymentPending},
	{api.PaymentPending, api.PaymentPending}, // a new prepay_id
	{api.PaymentCreated, api.PaymentFailed},
	{api.PaymentCreated, api.PaymentClosing},
	{api.PaymentPending, api.PaymentClosing},
	{api.PaymentCreated, api.PaymentClosed},
	{api.PaymentPending, api.PaymentClosed},
	{api.PaymentClosing, api.PaymentClosed},
	{api.PaymentCreated, api.PaymentPaid}, // before the response of unifiedorder was stored
	{api.PaymentPending, api.PaymentPaid},
	{api.PaymentClosing, api.PaymentPaid},
	{api.PaymentClosed, api.PaymentPaid},
	{api.PaymentFailed, api.PaymentPaid},
}

// PaymentCanBecome reports whether a payment may go from one status to another.
func PaymentCanBecome(from, to api.PaymentStatus) bool {
	return paymentTransitions.has(from, to)
}

// PaymentSources returns the statuses that lead to one.
func PaymentSources(to api.PaymentStatus) []api.PaymentStatus {
	return paymentTransitions.sources(to)
}

// PaymentLive reports whether a payment in this status is offered to the buyer.
func PaymentLive(s api.PaymentStatus) bool {
	return s == api.PaymentCreated || s == api.PaymentPending
}

// PaymentEnded reports whether a payment in this status needs no query at WeChat any
// more.
func PaymentEnded(s api.PaymentStatus) bool {
	return !PaymentLive(s) && s != api.PaymentClosing
}
