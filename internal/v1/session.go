package v1

import "h5pay/internal/fen"

// PathSession is the path of the console's session. It is not in Routes, because a program
// sends its API key with each call.
const PathSession = "/api/console/session"

// HeaderConsole must be in every call of the console that changes something. A page of
// another site cannot set it.
const HeaderConsole = "H5pay-Console"

// SignIn begins a session of the console: POST PathSession.
type SignIn struct {
	Key string `json:"key"` // an API key; its scopes are those of the session
}

// Session is the response of GET PathSession. DELETE ends the session of this browser, and
// with ?everywhere=true all sessions of the key.
type Session struct {
	KeyID     string  `json:"key_id"`
	Name      string  `json:"name"` // of the key
	Scopes    []Scope `json:"scopes"`
	ExpiresAt int64   `json:"expires_at"` // Unix ms
	Shop      string  `json:"shop"`       // its name
	// Simulated means that a simulator takes the place of WeChat.
	Simulated bool `json:"simulated,omitempty"`
	// RefundConfirm is the amount in fen from which refunds of an order need a second person,
	// 0 if no refund does.
	RefundConfirm fen.Fen `json:"refund_confirm,omitempty"`
}
