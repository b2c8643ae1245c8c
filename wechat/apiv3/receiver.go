package apiv3

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// window is how far a message may be from this clock, in both directions. A
// message of exactly five minutes is rejected, as WeChat's own library does
// (docs/wechat.md 18.4).
const window = 5 * time.Minute

// probePrefix begins the signature of a probe (docs/wechat.md 18.6).
const probePrefix = "WECHATPAY/SIGNTEST/"

// ReceiverConfig configures a Receiver.
type ReceiverConfig struct {
	Keys     *KeySet // WeChat's keys; they can be replaced later
	APIv3Key Secret  // 32 letters or digits
	// APIv3KeyOld, optional, is the previous APIv3 key. Messages that were encrypted
	// with it are still decrypted.
	APIv3KeyOld Secret
	Now         func() time.Time // time.Now when nil
}

// Receiver verifies and decrypts what WeChat sends. It is safe for concurrent use.
type Receiver struct {
	keys atomic.Pointer[KeySet]
	open func(Resource) ([]byte, error) // a function, so that printing does not show the APIv3 key
	now  func() time.Time
}

// NewReceiver checks cfg. Its errors are of the kind BadConfig.
func NewReceiver(cfg ReceiverConfig) (*Receiver, error) {
	r := &Receiver{now: cfg.Now}
	if r.now == nil {
		r.now = time.Now
	}
	if cfg.Keys == nil {
		return nil, fail(BadConfig, "Keys", "are missing")
	}
	if problem := apiV3KeyProblem(string(cfg.APIv3Key)); problem != "" {
		return nil, fail(BadConfig, "APIv3Key", problem)
	}
	keys := [][]byte{[]byte(cfg.APIv3Key)}
	if cfg.APIv3KeyOld != "" && cfg.APIv3KeyOld != cfg.APIv3Key {
		if problem := apiV3KeyProblem(string(cfg.APIv3KeyOld)); problem != "" {
			return nil, fail(BadConfig, "APIv3KeyOld", problem)
		}
		keys = append(keys, []byte(cfg.APIv3KeyOld))
	}
	r.open = func(resource Resource) ([]byte, error) { return decrypt(resource, keys) }
	r.Replace(cfg.Keys)
	return r, nil
}

// Replace sets WeChat's keys for all messages from now on. A message that is being
// verified keeps the keys it began with.
func (r *Receiver) Replace(keys *KeySet) { r.keys.Store(keys) }

// Keys returns WeChat's keys as they are now.
func (r *Receiver) Keys() *KeySet { return r.keys.Load() }

// PreferredSerial returns what Wechatpay-Serial a request should have, "" for none.
func (r *Receiver) PreferredSerial() string { return r.Keys().Preferred(r.now()) }

// Signature is the signature of a message that was verified.
type Signature struct {
	Serial string // the ID of the key
	Time   time.Time
	Nonce  string
}

// Verify checks that WeChat signed a response or a callback. body has the received bytes; it is
// empty for a 204. A replayed message is accepted for five minutes, so the caller must handle each
// message idempotently.
//
// The errors have the kinds Unsigned, Probe, Stale, UnknownSerial, Forged and Unavailable. After
// any of them trust nothing in the message.
func (r *Receiver) Verify(ctx context.Context, header Header, body []byte) (Signature, error) {
	return verify(ctx, r.Keys(), r.now(), header, body)
}

func verify(ctx context.Context, keys *KeySet, now time.Time, header Header, body []byte) (Signature, error) {
	signature := header(HeaderSignature)
	timestamp, nonce, id := header(HeaderTimestamp), header(HeaderNonce), header(HeaderSerial)
	for _, h := range []struct{ name, value string }{
		{HeaderSignature, signature}, {HeaderTimestamp, timestamp}, {HeaderNonce, nonce}, {HeaderSerial, id},
	} {
		if h.value == "" {
			return Signature{}, fail(Unsigned, h.name, "is missing")
		}
	}
	if t := header(HeaderSignatureType); t != "" && t != Scheme {
		return Signature{}, fail(Unsigned, HeaderSignatureType, "is not "+Scheme)
	}
	if strings.HasPrefix(signature, probePrefix) {
		return Signature{}, fail(Probe, HeaderSignature, "is a probe of WeChat's, which must not verify")
	}
	// Ten digits until the year 2286.
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || len(timestamp) > 11 || strings.Trim(timestamp, "0123456789") != "" {
		return Signature{}, fail(Unsigned, HeaderTimestamp, "want Unix seconds")
	}
	if len(nonce) > 128 || !visible(nonce) {
		return Signature{}, fail(Unsigned, HeaderNonce, "is malformed")
	}
	if id = keyID(id); id == "" {
		return Signature{}, fail(Unsigned, HeaderSerial, "want "+publicKeyPrefix+" and digits, or hex digits")
	}
	sent := time.Unix(seconds, 0).UTC()
	if d := now.Sub(sent); d >= window || d <= -window {
		return Signature{}, fail(Stale, HeaderTimestamp, "is five minutes or more from this clock")
	}
	e, there := keys.find(id)
	switch {
	case !there:
		return Signature{}, fail(UnknownSerial, HeaderSerial, "no key is known for "+id)
	case !e.key.valid(now):
		return Signature{}, fail(UnknownSerial, HeaderSerial, "the certificate "+id+" is not valid now")
	}
	b, err := base64.StdEncoding.Strict().DecodeString(signature)
	if err != nil || strings.ContainsAny(signature, "\r\n") || len(b) != (e.key.Public.Bits()+7)/8 {
		return Signature{}, fail(Forged, HeaderSignature, "is malformed")
	}
	ok, err := e.verifier.Verify(ctx, lines(timestamp, nonce, string(body)), b)
	switch {
	case err != nil:
		return Signature{}, unavailable(ctx, "RSA", err)
	case !ok:
		return Signature{}, fail(Forged, HeaderSignature, "is not that of "+id+" for this message")
	}
	return Signature{Serial: id, Time: sent, Nonce: nonce}, nil
}

// Response checks the response to a request that was signed. A nil error means
// that the request succeeded and that body is WeChat's.
//
// With a status other than 2xx the error is a *Failure. With 2xx it is an *Error, and the request
// may or may not have succeeded. Send it again unchanged, or query its outcome.
//
// The caller checks the status: after 202 send the same request again, also when the
// response is signed (docs/wechat.md 18.10).
//
// A bill file is not signed; its hash is compared instead.
func (r *Receiver) Response(ctx context.Context, status int, header Header, body []byte) error {
	_, err := r.Verify(ctx, header, body)
	if status >= 200 && status <= 299 {
		return err
	}
	return newFailure(status, header, body, err)
}
