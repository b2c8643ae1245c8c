package main

import "h5pay/internal/api"

// payable reports whether an order with the status waits for payment.
func payable(s api.OrderStatus) bool { return s == api.StatusOpen }

// paid reports whether an order with the status was paid, even if it was refunded later.
func paid(s api.OrderStatus) bool {
	return s == api.StatusPaid || s == api.StatusRefunding || s == api.StatusRefunded
}

// statuses are the names of the order statuses.
var statuses = map[api.OrderStatus]text{
	api.StatusOpen:      textToPay,
	api.StatusPaid:      textPaid,
	api.StatusClosing:   textClosing,
	api.StatusClosed:    textClosed,
	api.StatusRefunding: textRefunding,
	api.StatusRefunded:  textRefunded,
}

// steps are the names of the steps in the timeline of an order.
var steps = map[api.OrderStatus]text{
	api.StatusOpen:      textStepOpen,
	api.StatusPaid:      textPaid,
	api.StatusClosing:   textClosing,
	api.StatusClosed:    textClosed,
	api.StatusRefunding: textRefunding,
	api.StatusRefunded:  textRefunded,
}

// refunds are the names of the refund statuses.
var refunds = map[api.RefundStatus]text{
	api.RefundCreated:    textRefunding,
	api.RefundProcessing: textRefunding,
	api.RefundSucceeded:  textRefundDone,
	api.RefundClosed:     textRefundClosed,
	api.RefundAbnormal:   textRefundAbnormal,
	api.RefundFailed:     textRefundFailed,
}

// duplicates are the texts about the refund of a second payment.
var duplicates = map[api.RefundStatus]text{
	api.RefundCreated:    textPaidTwice,
	api.RefundProcessing: textPaidTwice,
	api.RefundSucceeded:  textPaidTwiceDone,
	api.RefundClosed:     textPaidTwiceTrouble,
	api.RefundAbnormal:   textPaidTwiceTrouble,
	api.RefundFailed:     textPaidTwiceTrouble,
}
