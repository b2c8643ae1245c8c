package order

import "h5pay/internal/api"

// refundTransitions holds all changes of a refund's status.
//
// WeChat can still accept a refund that failed here. An earlier call that got no
// response may have reached WeChat after a later one was declined.
var refundTransitions = transitions[api.RefundStatus]{
	{api.RefundCreated, api.RefundProcessing},
	{api.RefundCreated, api.RefundFailed},
	{api.RefundCreated, api.RefundSucceeded}, // this and the next two: before the response to the call was stored
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
	return refundTransitions.has(from, to)
}

// RefundSources returns the statuses that lead to one.
func RefundSources(to api.RefundStatus) []api.RefundStatus {
	return refundTransitions.sources(to)
}

// RefundOpen reports whether a refund in this status has not ended: WeChat is still to
// be queried about it.
func RefundOpen(s api.RefundStatus) bool {
	return s == api.RefundCreated || s == api.RefundProcessing || s == api.RefundAbnormal
}
