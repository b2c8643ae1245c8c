package wechat

import (
	"context"
	"errors"
	"net/http"
	"time"

	"h5pay/wechat/apiv3"
)

const (
	opCertificates = "certificates"
	opEcho         = "echo"

	maxCertificates = 256 << 10 // bytes of a response; WeChat sends about 4 kB for each
)

// DownloadCertificates fetches the platform certificates. They are verified, and nothing else
// changes: store their PEM and pass all stored ones to SetCertificates. WeChat requires a download
// at least every twelve hours, and lists a new one a day before it signs with it (docs/wechat.md
// 18.13).
func (c *Client) DownloadCertificates(ctx context.Context) ([]apiv3.PlatformCertificate, error) {
	if c.v3 == nil {
		return nil, notConfigured(V3)
	}
	return c.v3.downloadCertificates(ctx)
}

func (v *v3client) downloadCertificates(ctx context.Context) ([]apiv3.PlatformCertificate, error) {
	x := v3call{op: opCertificates, method: http.MethodGet, uri: "/v3/certificates", limit: maxCertificates, final: true}
	_, reply, err := v.exchange(ctx, x)
	if err != nil {
		return nil, err
	}
	if reply.status != http.StatusOK {
		if err := v.check(ctx, x, nil, reply); err != nil {
			return nil, err
		}
		return nil, &Error{Op: opV3 + x.op, Message: "the response has no certificates", Kind: Untrusted, Status: reply.status}
	}
	list, err := v.receiver.Certificates(ctx, reply.header, reply.body)
	var problem *apiv3.Error
	switch {
	case errors.As(err, &problem):
		e := v3error(opV3+x.op, problem)
		e.Status = reply.status
		switch problem.Kind {
		case apiv3.Probe:
			e.Kind = Retry
		case apiv3.Undecryptable, apiv3.UnknownSerial:
			e.Kind = Operator // another APIv3 key, or a public key that is not configured
		}
		return nil, e
	case err != nil:
		return nil, &Error{Op: opV3 + x.op, Message: "the response cannot be verified", Kind: Retry, Err: cause(ctx, err), Status: reply.status}
	}
	for _, c := range list {
		if err := v.foreign(c.Key, "data"); err != nil {
			return nil, &Error{Op: opV3 + x.op, Message: "the response has the merchant's own certificate", Kind: Untrusted}
		}
	}
	return list, nil
}

// SetCertificates replaces the platform certificates, PEM, with which WeChat's messages are
// verified. The public key stays. After an error nothing has changed. An expired certificate is
// accepted and verifies nothing.
func (c *Client) SetCertificates(pems []string) error {
	if c.v3 == nil || !c.v3.certificates {
		return notConfigured(V3)
	}
	set, err := c.v3.keySet(pems)
	if err != nil {
		return unsent(context.Background(), opV3+opCertificates, err)
	}
	c.v3.receiver.Replace(set)
	return nil
}

// WeChatKeys returns the keys with which messages of APIv3 are verified, for the
// health page. There are none without APIv3.
func (c *Client) WeChatKeys() []apiv3.Key {
	if c.v3 == nil {
		return nil
	}
	return c.v3.receiver.Keys().Keys()
}

// MerchantExpires returns when the merchant API certificate ends, after which WeChat
// declines every call. The time is zero when it is not known.
func (c *Client) MerchantExpires() time.Time {
	if c.v3 == nil {
		return time.Time{}
	}
	return c.v3.merchant.Expires()
}

// CheckPrivateKey signs a text and verifies it. It finds a private key whose numbers do not fit
// together, which WebCrypto notices only when it signs. Only Echo checks whether the serial belongs
// to the key.
func (c *Client) CheckPrivateKey(ctx context.Context) error {
	if c.v3 == nil {
		return notConfigured(V3)
	}
	if err := c.v3.merchant.Check(ctx); err != nil {
		return unsent(ctx, opV3+"private key", err)
	}
	return nil
}

// Echo makes WeChat send a text back. It tests the keys of both sides without a
// payment. With a notifyURL, which may be "", WeChat sends a notification there too:
// PaymentNotification returns it as an error with the code CodeEcho
// (docs/wechat.md 18.15).
func (c *Client) Echo(ctx context.Context, notifyURL string) error {
	if c.v3 == nil {
		return notConfigured(V3)
	}
	v := c.v3
	if notifyURL != "" && (!absolute(notifyURL) || len(notifyURL) > maxNotifyV3) {
		return notSent(opV3+opEcho, "notify_url is not an absolute URL of 255 bytes at most")
	}
	if v.receiver.PreferredSerial() == "" {
		// The request names the key with which WeChat signs the response.
		return &Error{Op: opV3 + opEcho, Message: "not sent: no key of WeChat's is known yet", Kind: Retry}
	}
	nonce, err := apiv3.Nonce(v.cfg.Rand)
	if err != nil {
		return &Error{Op: opV3 + opEcho, Message: "no random numbers", Kind: Retry, Err: err}
	}
	in := struct {
		Message   string `json:"echo_message"`
		NotifyURL string `json:"notify_url,omitempty"`
	}{nonce, notifyURL}
	var out struct {
		Message string `json:"echo_message"`
	}
	if err := v.call(ctx, v3call{op: opEcho, method: http.MethodPost, uri: "/v3/security/echo", in: in}, &out); err != nil {
		return err
	}
	if out.Message != nonce {
		return &Error{Op: opV3 + opEcho, Message: "the response has another text", Kind: Untrusted}
	}
	return nil
}
