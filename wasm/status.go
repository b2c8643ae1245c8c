package main

import "h5pay/internal/api"

// payable reports whether an order in a status waits for its payment.
func payable(s api.OrderStatus) bool { return s == api.StatusCreated || s == api.StatusPending }

// paid reports whether an order in a status was paid, even if the money has
// gone back since.
func paid(s api.OrderStatus) bool {
	return s == api.StatusPaid || s == api.StatusRefunding || s == api.StatusRefunded
}

// statuses are the words for where an order stands.
var statuses = map[api.OrderStatus]text{
	api.StatusCreated:   textToPay,
	api.StatusPending:   textToPay,
	api.StatusPaid:      textPaid,
	api.StatusClosing:   textClosing,
	api.StatusClosed:    textClosed,
	api.StatusFailed:    textFailed,
	api.StatusRefunding: textRefunding,
	api.StatusRefunded:  textRefunded,
}

// steps are the words for a change in the life of an order.
var steps = map[api.OrderStatus]text{
	api.StatusCreated:   textStepCreated,
	api.StatusPending:   textStepPending,
	api.StatusPaid:      textPaid,
	api.StatusClosing:   textClosing,
	api.StatusClosed:    textClosed,
	api.StatusFailed:    textFailed,
	api.StatusRefunding: textRefunding,
	api.StatusRefunded:  textRefunded,
}

// refunds are the words for where a refund stands.
var refunds = map[api.RefundStatus]text{
	api.RefundCreated:    textRefunding,
	api.RefundProcessing: textRefunding,
	api.RefundSucceeded:  textRefundDone,
	api.RefundClosed:     textRefundClosed,
	api.RefundAbnormal:   textRefundAbnormal,
	api.RefundFailed:     textRefundFailed,
}
