package v1

import "h5pay/internal/api"

// Enum returns the scopes.
func (Scope) Enum() []any { return []any{ScopeRead, ScopeWrite, ScopeRefund, ScopeAdmin} }

// Enum returns the sources.
func (Source) Enum() []any { return []any{SourceShop, SourceAPI, SourceLink} }

// Enum returns the statuses of an order.
func (OrderStatus) Enum() []any {
	return []any{OrderOpen, OrderPaid, OrderClosing, OrderClosed, OrderRefunding, OrderRefunded}
}

// Enum returns the statuses of a payment.
func (PaymentStatus) Enum() []any {
	return []any{PaymentCreated, PaymentPending, PaymentPaid, PaymentClosing, PaymentClosed, PaymentFailed}
}

// Enum returns the orders of a list.
func (EventOrder) Enum() []any { return []any{NewestFirst, OldestFirst} }

// Enum returns the kinds of a notification.
func (NotificationKind) Enum() []any { return []any{NotifiedPayment, NotifiedRefund, NotifiedEcho} }

// Enum returns the verdicts on a notification.
func (NotificationResult) Enum() []any {
	return []any{NotificationAccepted, NotificationRetried, NotificationRejected, NotificationForged}
}

// Enum returns the results of a comparison.
func (BillStatus) Enum() []any { return []any{BillAgrees, BillDiffers, BillWaiting, BillFailed} }

// Enum returns the kinds of a difference.
func (DifferenceKind) Enum() []any {
	return []any{MissingHere, MissingThere, AmountDiffers, StatusDiffers, NumberDiffers, ListedTwice}
}

// Enum returns the states of an endpoint.
func (EndpointState) Enum() []any {
	return []any{EndpointEnabled, EndpointDisabled, EndpointGone}
}

// Enum returns the statuses of a check.
func (CheckStatus) Enum() []any { return []any{CheckOK, CheckWarn, CheckFail, CheckSkipped} }

// enums are the values of types that are declared elsewhere.
var enums = map[string][]any{
	"EventType":   {api.EventOrderPaid, api.EventOrderRefunded, api.EventOrderClosed, api.EventPaymentDuplicate},
	"EventStatus": {api.EventPending, api.EventDelivered, api.EventDead, api.EventUntaken},
	"LinkState":   {api.LinkOpen, api.LinkWithdrawn, api.LinkExpired, api.LinkSoldOut},
	"TradeType":   {api.TradeJSAPI, api.TradeNative, api.TradeMWEB},
	"RefundStatus": {api.RefundCreated, api.RefundProcessing, api.RefundSucceeded, api.RefundClosed,
		api.RefundAbnormal, api.RefundFailed},
}
