package v1

import "h5pay/internal/fen"

// Today is what the shop took in the last days, and what has not ended.
type Today struct {
	At int64 `json:"at"` // Unix ms, of the response
	// Hours are the hours in which something was paid or went back, oldest first. They go
	// back to the midnight in Beijing 30 days ago.
	Hours   []Takings `json:"hours"`
	Waiting Waiting   `json:"waiting"`
}

// Takings are what was paid and what went back in an hour.
type Takings struct {
	At       int64   `json:"at"`       // Unix ms, when the hour begins
	Payments int     `json:"payments"` // that WeChat reported as paid, with WeChat's time
	Paid     fen.Fen `json:"paid"`     // fen
	Refunds  int     `json:"refunds"`  // that ended with the money back at the payer
	Refunded fen.Fen `json:"refunded"` // fen
}

// Waiting counts what has not ended, 100 of each kind at most.
type Waiting struct {
	OpenOrders      int `json:"open_orders"`      // that can be paid
	OpenRefunds     int `json:"open_refunds"`     // that have not ended, the next two among them
	StuckRefunds    int `json:"stuck_refunds"`    // that WeChat declined until the operator acts
	AbnormalRefunds int `json:"abnormal_refunds"` // that have to be paid out at the merchant platform
	PendingEvents   int `json:"pending_events"`   // that were not delivered yet
	DeadEvents      int `json:"dead_events"`      // that are no longer tried
}
