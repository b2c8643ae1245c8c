package v1

import "h5pay/internal/fen"

// Today has the takings of the last days, and counts of the work that has not ended.
type Today struct {
	At int64 `json:"at"` // Unix ms, of the response
	// Hours are the hours with a payment or a refund, oldest first. They begin with the
	// midnight in Beijing 30 days ago.
	Hours   []Takings `json:"hours"`
	Waiting Waiting   `json:"waiting"`
}

// Takings are the payments and the refunds of an hour.
type Takings struct {
	At       int64   `json:"at"`       // Unix ms, when the hour begins
	Payments int     `json:"payments"` // payments, by WeChat's time
	Paid     fen.Fen `json:"paid"`     // fen
	Refunds  int     `json:"refunds"`  // refunds that succeeded
	Refunded fen.Fen `json:"refunded"` // fen
}

// Waiting counts the work that has not ended, 100 of each kind at most.
type Waiting struct {
	OpenOrders      int `json:"open_orders"`      // that can be paid
	OpenRefunds     int `json:"open_refunds"`     // that have not ended; includes StuckRefunds and Abnormal
	StuckRefunds    int `json:"stuck_refunds"`    // that WeChat declined until the operator acts
	AbnormalRefunds int `json:"abnormal_refunds"` // that the operator must pay out at the merchant platform
	PendingEvents   int `json:"pending_events"`   // that wait at enabled endpoints
	DeadEvents      int `json:"dead_events"`      // that are dead
}
