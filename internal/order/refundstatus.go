package order

import (
	"slices"

	"h5pay/internal/api"
)

// refundTransitions is the one table of the changes of a refund's status.
//
// A refund that failed can still be taken: whether money goes back is WeChat's
// word alone, and a call that was given up for lost may have reached it after a
// later one was refused.
var refundTransitions = [...]struct{ from, to api.RefundStatus }{
	{api.RefundCreated, api.RefundProcessing},
	{api.RefundCreated, api.RefundFailed},
	{api.RefundCreated, api.RefundSucceeded}, // before the answer to the call was stored, this and the next two
	{api.RefundCreated, api.RefundClosed},
	{api.RefundCreated, api.RefundAbnormal},
	{api.RefundFailed, api.RefundProcessing},
	{api.RefundProcessing, api.RefundSucceeded},
	{api.RefundProcessing, api.RefundClosed},
	{api.RefundProcessing, api.RefundAbnormal},
	{api.RefundAbnormal, api.RefundSucceeded}, // an operator acted on the merchant platform
	{api.RefundAbnormal, api.RefundClosed},
}

// RefundCanBecome reports whether a refund may go from one status to another.
func RefundCanBecome(from, to api.RefundStatus) bool {
	return slices.ContainsFunc(refundTransitions[:], func(t struct{ from, to api.RefundStatus }) bool {
		return t.from == from && t.to == to
	})
}

// RefundSources returns the statuses that lead to one.
func RefundSources(to api.RefundStatus) []api.RefundStatus {
	var from []api.RefundStatus
	for _, t := range refundTransitions {
		if t.to == to {
			from = append(from, t.from)
		}
	}
	return from
}

// RefundOpen reports whether WeChat is to be asked about a refund in this
// status: it has not come to its end.
func RefundOpen(s api.RefundStatus) bool {
	return s == api.RefundCreated || s == api.RefundProcessing || s == api.RefundAbnormal
}
