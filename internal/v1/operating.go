package v1

// Selling reports whether the shop sells. If it does not, new orders and new payments get the
// code "not_selling". Payments in progress, refunds and events continue.
type Selling struct {
	Selling    bool  `json:"selling"`
	SettingOff bool  `json:"setting_off,omitempty"` // the setting SELLING is off; a call cannot override it
	SwitchedAt int64 `json:"switched_at,omitempty"` // Unix ms, of the last call that changed it
}

// PutSelling stops selling, or resumes it.
type PutSelling struct {
	Selling *bool `json:"selling" required:"true"`
}

// Counters count the newest 10,000 orders, their payments, refunds and events, and the
// rejections and queries of the shop. docs/runbook.md explains each.
type Counters struct {
	Counters map[string]int64 `json:"counters"` // by name: "settled.notify", "deliveries.dead", ...
}
