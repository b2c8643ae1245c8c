package v1

// Key is an API key. Its text is shown once, when it is made.
type Key struct {
	ID        string  `json:"id"`
	Name      string  `json:"name"`
	Scopes    []Scope `json:"scopes"`
	Key       string  `json:"key,omitempty"` // only in the response of the call that made it
	CreatedAt int64   `json:"created_at"`    // Unix ms
	// LastUsedAt is exact to an hour.
	LastUsedAt int64 `json:"last_used_at,omitempty"`
	ExpiresAt  int64 `json:"expires_at,omitempty"`
	RevokedAt  int64 `json:"revoked_at,omitempty"`
}

// CreateKey makes an API key.
type CreateKey struct {
	Name   string  `json:"name" required:"true" minLength:"1" maxLength:"60"`
	Scopes []Scope `json:"scopes" required:"true" minItems:"1" maxItems:"4"`
	// ExpiresIn is in seconds. A key without it is valid until it is revoked.
	ExpiresIn int64 `json:"expires_in,omitempty" minimum:"60" maximum:"315360000"`
}

// Keys are all API keys, newest first.
type Keys struct {
	Keys []Key `json:"keys"`
}
