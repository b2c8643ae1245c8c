package apiv3

// Kind classifies an error by its cause and by what to do.
type Kind int

// The kinds of error.
const (
	// BadConfig: a key, a serial or another setting is wrong. The operator
	// changes the settings.
	BadConfig Kind = iota
	// BadRequest: the request cannot be signed. The caller has to be repaired.
	BadRequest
	// Unsigned: the message lacks a signature header, or has one that is
	// malformed or of another signature type.
	Unsigned
	// Probe: WeChat sent a wrong signature on purpose. The message is rejected like any other. It is
	// no reason for an alarm: WeChat repeats the callback, or the caller sends the request again.
	Probe
	// UnknownSerial: no key in force has the serial of the message. In
	// certificate mode the caller downloads the certificates and verifies again.
	// Strangers can cause this error, so the caller limits how often it does that.
	UnknownSerial
	// Stale: the message is five minutes or more from this clock. Either the clock is wrong, or an
	// old message was replayed.
	Stale
	// Forged: the signature does not verify.
	Forged
	// Undecryptable: a resource is malformed, or encrypted with another APIv3 key.
	Undecryptable
	// Malformed: a signed message differs from its documented form.
	Malformed
	// Unavailable: RSA or the random numbers failed, or the context ended. A retry may succeed.
	Unavailable
)

func (k Kind) String() string {
	names := [...]string{
		"bad config", "bad request", "unsigned", "probe", "unknown serial",
		"stale", "forged", "undecryptable", "malformed", "unavailable",
	}
	if k < 0 || int(k) >= len(names) {
		return "unknown kind"
	}
	return names[k]
}

// Error is what this package returns, apart from [Failure]. It holds no key
// material, no secret, no body and no signature.
type Error struct {
	Kind    Kind
	Field   string // the setting, the header or the field of the message
	Message string // what is wrong with it
	Err     error  // the cause, may be nil
}

func (e *Error) Error() string {
	s := "apiv3: " + e.Field + ": " + e.Message
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

func fail(kind Kind, field, message string) error {
	return &Error{Kind: kind, Field: field, Message: message}
}
