package api

import "encoding/json"

// EventType is the type of a webhook event.
type EventType string

// The events.
const (
	EventOrderPaid        EventType = "order.paid"        // once per order
	EventOrderRefunded    EventType = "order.refunded"    // once per successful refund of an order
	EventOrderClosed      EventType = "order.closed"      // once per order that can no longer be paid
	EventPaymentDuplicate EventType = "payment.duplicate" // once per payment of an order that another payment has paid
	// EventTest is sent by a call that tests an endpoint. It is of no order, and not stored.
	EventTest EventType = "endpoint.test"
)

// WebhookBody is the body of a webhook. docs/webhooks.md describes it, and package webhook reads it.
type WebhookBody struct {
	ID        string          `json:"id"`
	Type      EventType       `json:"type"`
	CreatedAt int64           `json:"created_at"` // Unix ms
	Shop      string          `json:"shop"`       // origin of the shop that made the order
	AppID     string          `json:"appid"`
	MchID     string          `json:"mch_id"`
	Simulated bool            `json:"simulated,omitempty"` // WeChat was a simulator
	Data      json.RawMessage `json:"data"`
}

// EventStatus is the delivery status of an event.
type EventStatus string

// The statuses.
const (
	EventPending   EventStatus = "pending"   // not delivered yet; failed attempts are retried
	EventDelivered EventStatus = "delivered" // acknowledged by the merchant's back end
	EventDead      EventStatus = "dead"      // the last attempt failed; the operator can replay it
	EventUntaken   EventStatus = "untaken"   // no endpoint takes events of this type
)
