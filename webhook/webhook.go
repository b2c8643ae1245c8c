// Package webhook is the receiver's side of h5pay's webhooks: it verifies that an
// event comes from the shop, and reads it.
//
//	receiver := webhook.Receiver{Secrets: []string{secret}, Shop: "https://shop.example.com"}
//	http.HandleFunc("POST /h5pay", func(w http.ResponseWriter, r *http.Request) {
//		event, err := receiver.Receive(r, time.Now())
//		if err != nil {
//			http.Error(w, err.Error(), http.StatusBadRequest)
//			return
//		}
//		// Do the work once for each event.ID, and respond with 2xx when it is done.
//	})
//
// Deliveries follow Standard Webhooks 1.0 (https://www.standardwebhooks.com), so its
// libraries for other languages verify them too. Sign makes deliveries for the tests
// of a receiver.
//
// The package depends on the standard library alone: a receiver may copy it.
package webhook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of a delivery.
const (
	IDHeader        = "webhook-id"
	TimestampHeader = "webhook-timestamp"
	SignatureHeader = "webhook-signature"
)

// Tolerance is the largest difference between a delivery's timestamp and now, in both directions.
// It allows clocks to differ, and leaves little time to replay a recorded delivery.
const Tolerance = 5 * time.Minute

// The errors of a delivery that is rejected.
var (
	ErrHeader    = errors.New("webhook: webhook-id, webhook-timestamp or webhook-signature is missing or malformed")
	ErrSignature = errors.New("webhook: no signature matches")
	ErrTime      = errors.New("webhook: webhook-timestamp is more than 5 minutes from now")
	ErrSecret    = errors.New("webhook: want at least one secret, each whsec_ and the base64 of 24 to 64 bytes")
	ErrID        = errors.New("webhook: the event has another id than webhook-id")
	ErrSimulated = errors.New("webhook: the event is of a simulated WeChat: no money was paid")
	ErrShop      = errors.New("webhook: the event is of another shop")
	ErrAppID     = errors.New("webhook: the event is of another appid")
	ErrMchID     = errors.New("webhook: the event is of another mch_id")
)

// Header holds the three header values of a delivery.
type Header struct {
	ID        string // of the event, the same in all its deliveries
	Timestamp string // when this delivery was sent, in Unix seconds
	Signature string // "v1,<base64>", one for each secret, with spaces between them
}

// HeaderOf returns the header values of a request.
func HeaderOf(h http.Header) Header {
	return Header{ID: h.Get(IDHeader), Timestamp: h.Get(TimestampHeader), Signature: h.Get(SignatureHeader)}
}

// Set writes the values into the header of a request.
func (h Header) Set(to http.Header) {
	to.Set(IDHeader, h.ID)
	to.Set(TimestampHeader, h.Timestamp)
	to.Set(SignatureHeader, h.Signature)
}

// Sign returns the header of a delivery of body at t, with a signature by each secret.
// An id has up to 255 visible ASCII characters and no '.'. The errors are ErrSecret
// and ErrHeader, the latter for an id.
func Sign(id string, t time.Time, body []byte, secrets ...string) (Header, error) {
	keys, err := parseSecrets(secrets)
	if err != nil {
		return Header{}, err
	}
	h := Header{ID: id, Timestamp: strconv.FormatInt(t.Unix(), 10)}
	if !h.valid() {
		return Header{}, ErrHeader
	}
	signatures := make([]string, len(keys))
	for i, key := range keys {
		signatures[i] = version + h.sum(key, body)
	}
	h.Signature = strings.Join(signatures, " ")
	return h, nil
}

// Verify reports whether one of the secrets signed body under h, within Tolerance of now. While a
// secret is being changed, a receiver passes the old and the new one. The body must be the received
// bytes, before a parser changes them. The errors are ErrHeader, ErrSecret, ErrSignature and
// ErrTime.
func Verify(h Header, body []byte, now time.Time, secrets ...string) error {
	keys, err := parseSecrets(secrets)
	if err != nil {
		return err
	}
	given := h.signatures()
	if !h.valid() || given == nil {
		return ErrHeader
	}
	valid := false
	for _, key := range keys {
		want := []byte(h.sum(key, body)) // once for each secret, whatever the number of signatures is
		for _, signature := range given {
			if hmac.Equal([]byte(signature), want) {
				valid = true
			}
		}
	}
	if !valid {
		return ErrSignature
	}
	seconds, err := strconv.ParseInt(h.Timestamp, 10, 64)
	if err != nil {
		return ErrTime
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > Tolerance || age < -Tolerance {
		return ErrTime
	}
	return nil
}

// version marks a signature by HMAC-SHA256.
const version = "v1,"

// sum returns the base64 of a signature. The signed content is "id.timestamp.body".
func (h Header) sum(key, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(h.ID + "." + h.Timestamp + "."))
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// valid reports whether the id and the timestamp are well-formed. No other id and
// timestamp have the same signed content, because neither holds a '.'.
func (h Header) valid() bool {
	if h.ID == "" || len(h.ID) > 255 {
		return false
	}
	for i := range len(h.ID) {
		if c := h.ID[i]; c <= ' ' || c > '~' || c == '.' {
			return false
		}
	}
	return h.Timestamp != "" && len(h.Timestamp) <= 20 && strings.Trim(h.Timestamp, "0123456789") == ""
}

// signatures returns the signatures of the known version, without their prefix. There may be
// signatures of other versions. A header of over 4096 bytes has none.
func (h Header) signatures() (signatures []string) {
	if len(h.Signature) > 4096 {
		return nil
	}
	for part := range strings.SplitSeq(h.Signature, " ") {
		if signature, ok := strings.CutPrefix(part, version); ok {
			signatures = append(signatures, signature)
		}
	}
	return signatures
}

// A secret consists of secretPrefix and the base64 of its key.
const (
	secretPrefix = "whsec_"
	minKey       = 24 // bytes
	maxKey       = 64
)

// NewSecret returns a random secret: "whsec_" and the base64 of 32 bytes.
func NewSecret() string {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	return secretPrefix + base64.StdEncoding.EncodeToString(key)
}

// ParseSecret returns the key in a secret, 24 to 64 bytes. The error is ErrSecret. An
// empty secret, from a setting that is missing, is an error too.
func ParseSecret(secret string) (key []byte, err error) {
	text, ok := strings.CutPrefix(secret, secretPrefix)
	if !ok || strings.ContainsAny(text, "\r\n") { // which the decoder would skip
		return nil, ErrSecret
	}
	key, err = base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(key) < minKey || len(key) > maxKey {
		return nil, ErrSecret
	}
	return key, nil
}

func parseSecrets(secrets []string) (keys [][]byte, err error) {
	for _, secret := range secrets {
		key, err := ParseSecret(secret)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	if keys == nil {
		return nil, ErrSecret
	}
	return keys, nil
}
