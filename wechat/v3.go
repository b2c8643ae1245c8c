package wechat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"h5pay/wechat/apiv3"
)

// V3Config holds a merchant's keys of APIv3. Messages of WeChat's are verified with its
// public key, with platform certificates, or with both while a merchant changes. Each
// message names the key that signed it.
type V3Config struct {
	Serial      string // of the merchant API certificate, 40 hex digits; default that of Certificate
	PrivateKey  Secret // of the merchant, PEM (apiclient_key.pem)
	Certificate string // of the merchant, PEM (apiclient_cert.pem); may be empty when Serial is set
	APIv3Key    Secret // 32 letters or digits
	APIv3KeyOld Secret // optional, the key before: WeChat repeats notifications for a day

	PublicKeyID, PublicKey string // WeChat Pay's: "PUB_KEY_ID_" and digits, PEM (pub_key.pem)

	// Certificates is whether platform certificates verify. SetCertificates sets
	// them; PlatformCertificates, PEM, are there from the start.
	Certificates         bool
	PlatformCertificates []string
	// PreferCertificates makes WeChat sign responses with a certificate although
	// there is a public key.
	PreferCertificates bool
	// Refresh, optional, is called when a message names a certificate that is not
	// known. It calls SetCertificates with newer ones, from DownloadCertificates or
	// from where they are kept, and returns nil if that was done. Strangers can
	// cause the call, also many at a time: Refresh has to limit what it does.
	Refresh func(ctx context.Context) error

	RSA apiv3.RSA // the standard library's when nil, but for js
}

// v3client is the client of APIv3 (docs/wechat.md 18.2 to 18.16).
type v3client struct {
	*account
	merchant     *apiv3.Merchant
	receiver     *apiv3.Receiver
	rsa          apiv3.RSA
	public       *apiv3.Key // nil without WeChat's public key
	certificates bool
	preferCerts  bool
	refresh      func(ctx context.Context) error
}

func newV3(a *account, cfg V3Config) (*v3client, error) {
	v := &v3client{account: a, rsa: cfg.RSA, certificates: cfg.Certificates, preferCerts: cfg.PreferCertificates, refresh: cfg.Refresh}
	var problems []error
	add := func(err error) bool {
		if err != nil {
			problems = append(problems, err)
		}
		return err == nil
	}
	var err error
	v.merchant, err = apiv3.NewMerchant(apiv3.MerchantConfig{
		MchID: a.cfg.MchID, Serial: cfg.Serial, PrivateKey: cfg.PrivateKey, Certificate: cfg.Certificate,
		RSA: cfg.RSA, Now: a.cfg.Now, Rand: a.cfg.Rand,
	})
	add(err)
	switch {
	case cfg.PublicKey != "" || cfg.PublicKeyID != "":
		key, err := apiv3.NewPublicKey(cfg.PublicKeyID, cfg.PublicKey)
		if add(err) && add(v.foreign(key, "PublicKey")) {
			v.public = &key
		}
	case !cfg.Certificates:
		add(badV3("PublicKey", "is missing, and platform certificates are not configured"))
	}
	if len(cfg.PlatformCertificates) > 0 && !cfg.Certificates {
		add(badV3("Certificates", "are off, and there are platform certificates"))
	}
	set, err := v.keySet(cfg.PlatformCertificates)
	if !add(err) {
		if set, err = apiv3.NewKeySet(cfg.RSA); err != nil {
			return nil, errors.Join(problems...) // no RSA, which NewMerchant reported
		}
	}
	v.receiver, err = apiv3.NewReceiver(apiv3.ReceiverConfig{Keys: set, APIv3Key: cfg.APIv3Key, APIv3KeyOld: cfg.APIv3KeyOld, Now: a.cfg.Now})
	add(err)
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return v, nil
}

func badV3(field, message string) error {
	return &apiv3.Error{Kind: apiv3.BadConfig, Field: field, Message: message}
}

// foreign rejects the merchant's own key in the place of one of WeChat's.
func (v *v3client) foreign(key apiv3.Key, field string) error {
	if v.merchant != nil && key.Public.Equal(v.merchant.PublicKey()) {
		return badV3(field, "is the merchant's own key or certificate, want WeChat Pay's")
	}
	return nil
}

// keySet returns WeChat's keys: the public key if there is one, and those of
// platform certificates, the newest first. The first that is valid signs responses.
func (v *v3client) keySet(pems []string) (*apiv3.KeySet, error) {
	var keys []apiv3.Key
	for _, pem := range pems {
		key, err := apiv3.NewPlatformKey(pem)
		if err == nil {
			err = v.foreign(key, "PlatformCertificates")
		}
		if err != nil {
			return nil, err
		}
		at := len(keys)
		for at > 0 && keys[at-1].NotBefore.Before(key.NotBefore) {
			at--
		}
		keys = slices.Insert(keys, at, key)
	}
	switch {
	case v.public != nil && v.preferCerts:
		keys = append(keys, *v.public)
	case v.public != nil:
		keys = slices.Insert(keys, 0, *v.public)
	}
	return apiv3.NewKeySet(v.rsa, keys...)
}

func (*v3client) Version() Version { return V3 }

// opV3 begins the Op of an error of APIv3.
const opV3 = "v3 "

// v3call is one call of APIv3.
type v3call struct {
	op     string
	method string
	uri    string // path and query as they are sent
	in     any    // marshalled to JSON; nil for no body
	limit  int    // of the response, in bytes; 0 for maxMessage
	// final is whether an unknown certificate causes no refresh: the call is part of
	// one.
	final bool
}

// v3reply is a response as it was received.
type v3reply struct {
	status int
	header apiv3.Header
	body   []byte
}

// call makes a call, verifies that the response is WeChat's, and reads it into out. Without out the
// body is not read: a signed response with the status 200 or 204 is enough.
func (v *v3client) call(ctx context.Context, x v3call, out any) error {
	sent, reply, err := v.exchange(ctx, x)
	if err != nil {
		return err
	}
	if err := v.check(ctx, x, sent, reply); err != nil {
		return err
	}
	if out == nil {
		return nil
	}
	if reply.status == http.StatusNoContent || json.Unmarshal(reply.body, out) != nil {
		return &Error{Op: opV3 + x.op, Message: "the response is not JSON as documented", Kind: Untrusted, Status: reply.status}
	}
	return nil
}

// exchange signs and sends a call and returns the whole response. A call whose connection failed is
// sent to the backup host, once, with a new signature: WeChat may have received the first one
// (docs/wechat.md 18.10).
func (v *v3client) exchange(ctx context.Context, x v3call) (sent []byte, reply v3reply, err error) {
	op := opV3 + x.op
	if x.in != nil {
		if sent, err = json.Marshal(x.in); err != nil {
			return nil, v3reply{}, &Error{Op: op, Code: codeParam, Message: "not sent: a field cannot be JSON", Kind: Developer}
		}
	}
	res, err := v.send(ctx, x, v.cfg.MchURL, sent)
	if err != nil && v.cfg.MchBackupURL != "" && lost(ctx, err) {
		res, err = v.send(ctx, x, v.cfg.MchBackupURL, sent)
	}
	if err != nil {
		return nil, v3reply{}, unsent(ctx, op, err)
	}
	limit := x.limit
	if limit == 0 {
		limit = maxMessage
	}
	reply, err = readReply(ctx, op, res, limit)
	return sent, reply, err
}

// unsent is the error of a call without a response.
func unsent(ctx context.Context, op string, err error) error {
	var e *apiv3.Error
	if errors.As(err, &e) {
		return v3error(op, e)
	}
	return &Error{Op: op, Message: "no response", Kind: Retry, Err: cause(ctx, err)}
}

// send signs a call and sends it to one of the hosts. The path that is signed is
// WeChat's: base may have one of its own, of a proxy, which does not arrive.
func (v *v3client) send(ctx context.Context, x v3call, base string, body []byte) (*http.Response, error) {
	return v.sendTo(ctx, x.method, base+x.uri, x.uri, body)
}

func (v *v3client) sendTo(ctx context.Context, method, url, uri string, body []byte) (*http.Response, error) {
	authorization, err := v.merchant.Authorization(ctx, method, uri, body)
	if err != nil {
		return nil, err
	}
	// A nil body would be sent as one of unknown length.
	var content io.Reader = http.NoBody
	if len(body) > 0 {
		content = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, content)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", authorization)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "h5pay")
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	if serial := v.receiver.PreferredSerial(); serial != "" {
		req.Header.Set(apiv3.HeaderSerial, serial)
	}
	return v.cfg.Doer.Do(req)
}

// readReply reads a whole response. If the call failed, it reads only the beginning, because a
// gateway's page may have any length.
func readReply(ctx context.Context, op string, res *http.Response, limit int) (v3reply, error) {
	defer res.Body.Close()
	reply := v3reply{status: res.StatusCode, header: res.Header.Get}
	if !succeeded(res.StatusCode) {
		limit = maxMessage
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, int64(limit)+1))
	switch {
	case !succeeded(res.StatusCode) && (err != nil || len(body) > limit):
		return reply, nil // its body is not verified
	case err != nil:
		return v3reply{}, &Error{Op: op, Message: "the response is incomplete", Kind: Retry, Err: cause(ctx, err), Status: res.StatusCode}
	case len(body) > limit:
		return v3reply{}, &Error{Op: op, Message: fmt.Sprintf("the response is longer than %d KiB", limit>>10), Kind: Untrusted, Status: res.StatusCode}
	}
	reply.body = body
	return reply, nil
}

// succeeded reports whether a status is that of a call that was done. 202 demands
// the same call again (docs/wechat.md 18.9).
func succeeded(status int) bool { return status == http.StatusOK || status == http.StatusNoContent }

// check verifies a response. Its error describes the failed call as far as the response does.
func (v *v3client) check(ctx context.Context, x v3call, sent []byte, r v3reply) error {
	op := opV3 + x.op
	if r.status == http.StatusAccepted {
		return &Error{Op: op, Message: "WeChat requires the same call again", Kind: Retry, Status: r.status}
	}
	verify := func() error { return v.receiver.Response(ctx, r.status, r.header, r.body) }
	var err error
	if x.final {
		err = verify()
	} else {
		err = v.verified(ctx, r.header, verify)
	}
	var failure *apiv3.Failure
	var problem *apiv3.Error
	switch {
	case err == nil && succeeded(r.status):
		return nil
	case err == nil:
		return &Error{Op: op, Message: "the response has an unknown status", Kind: Untrusted, Status: r.status}
	case errors.As(err, &failure):
		return v.failed(x, sent, failure, r.header(apiv3.HeaderSerial))
	case errors.As(err, &problem):
		e := v3error(op, problem)
		switch {
		case problem.Kind == apiv3.Probe:
			e.Kind = Retry // the same again gets a right signature (docs/wechat.md 18.6)
		case problem.Kind == apiv3.UnknownSerial:
			e.Kind = v.unknownSerialKind(r.header(apiv3.HeaderSerial))
		}
		e.Status = r.status
		return e
	}
	return &Error{Op: op, Message: "the response cannot be verified", Kind: Retry, Err: cause(ctx, err), Status: r.status}
}

// verified runs verify. For an unknown certificate it calls Refresh once and tries again.
func (v *v3client) verified(ctx context.Context, header apiv3.Header, verify func() error) error {
	err := verify()
	if unknownSerial(err) && v.renewable(header(apiv3.HeaderSerial)) && v.refresh != nil && v.refresh(ctx) == nil {
		err = verify()
	}
	return err
}

// unknownSerial reports whether a message was not verified because its key is not
// known.
func unknownSerial(err error) bool {
	var failure *apiv3.Failure
	if errors.As(err, &failure) {
		err = failure.Unverified
	}
	var e *apiv3.Error
	return errors.As(err, &e) && e.Kind == apiv3.UnknownSerial
}

// unknownSerialKind returns what can be done about a message that names an unknown key.
func (v *v3client) unknownSerialKind(serial string) Kind {
	if v.renewable(serial) {
		return Retry // after a refresh, which failed or was not due
	}
	return Operator
}

// renewable reports whether other certificates may have a serial.
func (v *v3client) renewable(serial string) bool {
	return v.certificates && !strings.HasPrefix(serial, "PUB_KEY_ID_")
}

// v3error translates an error of package apiv3.
func v3error(op string, e *apiv3.Error) *Error {
	out := &Error{Op: op, Message: "the message could not be verified", Kind: Untrusted, Err: e}
	switch e.Kind {
	case apiv3.BadConfig:
		out.Kind, out.Message = Operator, "the configuration is wrong"
	case apiv3.BadRequest:
		out.Kind, out.Code, out.Message = Developer, codeParam, "not sent"
	case apiv3.Unavailable:
		out.Kind, out.Message = Retry, "a platform function failed"
	case apiv3.Stale:
		out.Message += ", or the clock of this machine is wrong"
	}
	return out
}

// IsProbe reports whether the cause of an error is a message that WeChat signed wrongly on purpose.
// The message was rejected like a forged one. It needs no alarm, because the correct message
// follows (docs/wechat.md 18.6).
func IsProbe(err error) bool {
	var e *apiv3.Error
	return errors.As(err, &e) && e.Kind == apiv3.Probe
}

// failed is the error of a call that WeChat, or a gateway, declined. A failure that
// is not signed has no Code (docs/wechat.md 18.9): callers act on codes. serial names the key of the
// signature.
func (v *v3client) failed(x v3call, sent []byte, f *apiv3.Failure, serial string) error {
	e := &Error{Op: opV3 + x.op, Status: f.Status, RequestID: f.RequestID, Number: f.Number}
	for _, part := range []string{f.Location, f.DetailField, f.Issue} {
		if part != "" {
			e.Detail = strings.TrimPrefix(e.Detail+", "+part, ", ")
		}
	}
	if f.Sign != nil {
		if difference := f.Sign.Compare(x.method, x.uri, sent); difference != "" {
			e.Detail = strings.TrimPrefix(e.Detail+", "+difference, ", ")
		}
	}
	if !f.Signed {
		e.Kind, e.Claimed = unsignedKind(f.Status), f.Claimed
		e.Message = "the call failed, which is not signed"
		var problem *apiv3.Error
		if errors.As(f.Unverified, &problem) && problem.Kind != apiv3.Unsigned {
			e.Message, e.Err = "the call failed, and its signature could not be verified", problem
			switch {
			case problem.Kind == apiv3.Probe, problem.Kind == apiv3.Unavailable:
				e.Kind = Retry
			case e.Kind != Declined: // the status alone decides
			case problem.Kind == apiv3.UnknownSerial:
				e.Kind = v.unknownSerialKind(serial)
			default: // WeChat's own failures have no signature, or a right one
				e.Kind = Untrusted
			}
		}
		if words := strings.TrimPrefix(f.Claimed+": "+f.Message, ": "); words != "" {
			e.Message += ": " + words
		}
		return e
	}
	e.Code = f.Code
	if e.Code == "RESOURCE_NOT_EXISTS" && x.op == opRefundQuery {
		e.Code = CodeRefundNotExist // older pages call it so
	}
	e.Message = "WeChat declined: " + f.Message
	if r := find(x.op, e.Code); r != nil {
		e.Kind = r.kind
	} else {
		e.Kind = unknownKind(f.Status)
	}
	return e
}

// unsignedKind returns the kind of a failure that is not signed. WeChat sends 401
// before it reads the order. A redirect comes from a wrong base URL.
func unsignedKind(status int) Kind {
	switch {
	case status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= 500:
		return Retry
	case status == http.StatusUnauthorized || status >= 300 && status < 400:
		return Operator
	}
	return Declined
}

// unknownKind is what can be done about a signed failure whose code is not known.
func unknownKind(status int) Kind {
	if status == http.StatusBadRequest {
		return Developer
	}
	return unsignedKind(status)
}

// readTime reads a time of APIv3.
func readTime(s string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339, s)
	return t.UTC(), err == nil
}
