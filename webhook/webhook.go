// Package webhook is the receiver's side of h5pay's webhooks: what a merchant's
// back end needs to believe that an event comes from its shop, and to read it.
//
//	receiver := webhook.Receiver{Secrets: []string{secret}, Shop: "https://shop.example.com"}
//	http.HandleFunc("POST /h5pay", func(w http.ResponseWriter, r *http.Request) {
//		event, err := receiver.Receive(r, time.Now())
//		if err != nil {
//			http.Error(w, err.Error(), http.StatusBadRequest)
//			return
//		}
//		// Do it once for each event.ID, and answer 2xx only when it is done.
//	})
//
// It depends on the standard library alone, so that it can be copied.
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"
)

// The headers of a delivery.
const (
	SignatureHeader = "H5pay-Signature"  // what Verify checks
	EventIDHeader   = "H5pay-Event-Id"   // the id of the body, for logs and proxies
	EventTypeHeader = "H5pay-Event-Type" // its type
)

// Tolerance is how far the time of a signature may be from now, either way: old
// enough for clocks that differ, too short for much of a replay.
const Tolerance = 5 * time.Minute

// MinSecret is the least length of a secret, in bytes.
const MinSecret = 32

// What can be wrong with a delivery.
var (
	ErrNoSignature = errors.New("webhook: no signature, or none of a known version")
	ErrSignature   = errors.New("webhook: the signature is not by this secret over this body")
	ErrTime        = errors.New("webhook: the signature is too old, or from the future")
	ErrSecret      = errors.New("webhook: a secret has less than 32 bytes")
	ErrSimulated   = errors.New("webhook: the event is of a simulated WeChat: no money was paid")
	ErrShop        = errors.New("webhook: the event is of another shop")
	ErrAppID       = errors.New("webhook: the event is of another appid")
	ErrMchID       = errors.New("webhook: the event is of another mch_id")
)

// Sign returns the value of SignatureHeader for a body that is sent at t:
// "t=1767225600,v1=…", with a v1 for each secret, so that a receiver who knows
// any of them can check it. A v1 is the HMAC-SHA256, in hexadecimal, of the
// decimal t, a '.' and the body.
func Sign(t time.Time, body []byte, secrets ...string) string {
	seconds := strconv.FormatInt(t.Unix(), 10)
	var b strings.Builder
	b.WriteString("t=" + seconds)
	for _, secret := range secrets {
		b.WriteString(",v1=" + hex.EncodeToString(sum(secret, seconds, body)))
	}
	return b.String()
}

// Verify reports whether header is a signature over body by one of the secrets,
// made no further than tolerance from now. While a secret is being changed a
// receiver gives both. The body must be the bytes that came, not what a parser
// made of them.
func Verify(header string, body []byte, now time.Time, tolerance time.Duration, secrets ...string) error {
	seconds, signatures, ok := parse(header)
	if !ok {
		return ErrNoSignature
	}
	valid := false
	for _, secret := range secrets {
		if len(secret) < MinSecret {
			return ErrSecret // an empty one, from a setting that is missing, is everybody's
		}
		want := sum(secret, seconds, body)
		for _, got := range signatures {
			if hmac.Equal(got, want) {
				valid = true
			}
		}
	}
	if !valid {
		return ErrSignature
	}
	// The time counts only now that it is known to be the sender's.
	t, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return ErrTime
	}
	if age := now.Sub(time.Unix(t, 0)); age > tolerance || age < -tolerance {
		return ErrTime
	}
	return nil
}

func sum(secret, seconds string, body []byte) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(seconds))
	mac.Write([]byte("."))
	mac.Write(body)
	return mac.Sum(nil)
}

// parse reads a header: one t, any number of v1, and whatever a later version
// may add.
func parse(header string) (seconds string, signatures [][]byte, ok bool) {
	if len(header) > 4096 {
		return "", nil, false
	}
	for part := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "t":
			if seconds != "" || value == "" || strings.Trim(value, "0123456789") != "" {
				return "", nil, false
			}
			seconds = value
		case "v1":
			if signature, err := hex.DecodeString(value); err == nil && len(signature) == sha256.Size {
				signatures = append(signatures, signature)
			}
		}
	}
	return seconds, signatures, seconds != "" && signatures != nil
}
