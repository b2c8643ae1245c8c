package order

import "time"

// Notification is a message that arrived at a notify URL, and its result.
type Notification struct {
	At          time.Time
	Kind        string // "payment" or "refund"
	Version     string // of WeChat's API: "v2" or "v3"
	Verified    bool   // whether it is WeChat's
	Verdict     string
	Reason      string // what WeChat was answered
	OutTradeNo  string // "" unless it is verified
	OutRefundNo string // "" unless it is verified and about a refund
	RequestID   string
	More        int // messages since the one before that are not stored
}

// Note is the row of an acknowledged payment notification. D1 stores it in the round trip that finds
// the payment paid by TransactionID, if the payment agrees with the notification.
type Note struct {
	Notification
	Notified
	TransactionID string
	Stored        bool // the store sets it
}
