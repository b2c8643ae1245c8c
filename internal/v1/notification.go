package v1

// Notification is a message that arrived at a notify URL, and its result. The shop keeps the
// last ones.
type Notification struct {
	At      int64              `json:"at"` // Unix ms
	Kind    NotificationKind   `json:"kind"`
	Version string             `json:"version"` // "v2" or "v3"
	Verdict NotificationResult `json:"verdict"`
	// Reason is the text of the response to WeChat.
	Reason      string `json:"reason"`
	OutTradeNo  string `json:"out_trade_no,omitempty"`
	OutRefundNo string `json:"out_refund_no,omitempty"`
	RequestID   string `json:"request_id"` // of the lines in the shop's log
	// More is how many messages that were not WeChat's arrived since the previous one and are
	// not listed. One a minute is listed.
	More int `json:"more,omitempty"`
}

// NotificationKind is the kind of the notify URL at which a message arrived.
type NotificationKind string

// The kinds.
const (
	NotifiedPayment NotificationKind = "payment"
	NotifiedRefund  NotificationKind = "refund"
	NotifiedEcho    NotificationKind = "echo" // the test callback that GET /v1/checks requests
)

// NotificationResult is the verdict on a message.
type NotificationResult string

// The verdicts.
const (
	NotificationAccepted NotificationResult = "accepted" // WeChat confirmed the message
	NotificationRetried  NotificationResult = "retried"  // WeChat will send it again
	NotificationRejected NotificationResult = "rejected" // WeChat's, but it differs from the order, or WeChat does not confirm it
	NotificationForged   NotificationResult = "forged"   // the signature is not WeChat's, or the message cannot be read
)

// NotificationQuery filters the notifications.
type NotificationQuery struct {
	Verdict    NotificationResult `query:"verdict"`
	OutTradeNo string             `query:"out_trade_no" minLength:"1" maxLength:"32"`
	// Limit is 20 when it is absent.
	Limit int `query:"limit" minimum:"1" maximum:"500"`
}

// Notifications are the last messages, newest first.
type Notifications struct {
	Notifications []Notification `json:"notifications"`
}
