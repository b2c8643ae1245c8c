package wechattest

import (
	"crypto/rand"
	"crypto/x509"
	"net/http"
	"time"
)

// The faults of a merchant's account: what somebody has set wrongly on a platform of WeChat's.
const (
	FaultIPNotListed          = "ip_not_listed"
	FaultSecretFrozen         = "secret_frozen"
	FaultNoWebAuthorization   = "no_web_authorization"
	FaultAppIDNotBound        = "appid_not_bound"
	FaultNoPermission         = "no_permission"
	FaultCertExpired          = "cert_expired"
	FaultCertificatesExpiring = "certificates_expiring"
	FaultEchoLost             = "echo_lost"
	FaultIntercepted          = "intercepted"
)

// certificatesLeft is how long the platform certificates of certificates_expiring are valid.
const certificatesLeft = 5 * 24 * time.Hour

// accountFaultKinds describes them. all are the paths of all calls.
func accountFaultKinds(all []string) []FaultKind {
	orders := []string{pathUnifiedOrder, PathV3JSAPI, PathV3Native, PathV3H5, PathV3App, PathOrder}
	return []FaultKind{
		{Kind: FaultIPNotListed, Text: "the next code exchange answers 40164: the address of the shop is not in the list of the account"},
		{Kind: FaultSecretFrozen, Text: "the next code exchange answers 40243: the AppSecret is frozen"},
		{Kind: FaultNoWebAuthorization, Text: "the next code exchange answers 48001: the account has no web authorization"},
		{Kind: FaultAppIDNotBound, Text: "an order is declined with APPID_MCHID_NOT_MATCH, as if the appid was not bound to the merchant number", Paths: orders},
		{Kind: FaultNoPermission, Text: "an order is declined with NOAUTH, or NO_AUTH by APIv3, as if the product was not open", Paths: orders},
		{Kind: FaultCertExpired, Text: "APIv3: a call is answered 401, as if the merchant's certificate had expired", Paths: append(v3Paths(), PathOrder)},
		{Kind: FaultCertificatesExpiring, Text: "APIv3: the next list of platform certificates has only such as expire in five days"},
		{Kind: FaultEchoLost, Text: "APIv3: the callback of the next echo is never sent, as if a firewall stopped WeChat alone"},
		{Kind: FaultIntercepted, Text: "a call is answered by somebody else, 200 with a page, as by a proxy for outgoing calls", Paths: all},
	}
}

// accountFault plays the faults of a code exchange. It reports whether it has responded.
func (x *exchange) accountFault() bool {
	for _, f := range []struct {
		kind string
		code int
		text string
	}{
		{FaultIPNotListed, 40164, "invalid ip, not in whitelist"},
		{FaultSecretFrozen, 40243, "AppSecret has been frozen"},
		{FaultNoWebAuthorization, 48001, "api unauthorized"},
	} {
		if _, ok := x.w.takeFault(f.kind, ""); ok {
			x.note("fault %s", f.kind)
			x.errcode(f.code, f.text)
			return true
		}
	}
	return false
}

// expiring returns the certificates with an early end. Key and serial number stay.
func (w *WeChat) expiring(keys []*v3Key) (soon []*v3Key) {
	for _, k := range keys {
		t := *k.cert
		t.NotAfter = w.Now().Add(certificatesLeft)
		der, err := x509.CreateCertificate(rand.Reader, &t, &x509.Certificate{Subject: k.cert.Issuer}, &k.key.PublicKey, k.key)
		if err != nil {
			panic("wechattest: making a certificate: " + err.Error())
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			panic("wechattest: reading a certificate: " + err.Error())
		}
		soon = append(soon, &v3Key{id: k.id, key: k.key, cert: cert})
	}
	return soon
}

// declineOrderV3 plays the faults of the account for an order of APIv3.
func (w *WeChat) declineOrderV3(c *v3Call) bool {
	if _, ok := w.takeFault(FaultAppIDNotBound, c.route.pattern); ok {
		c.note("fault appid_not_bound")
		c.decline(http.StatusBadRequest, "APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配，请检查后再试")
		return true
	}
	if _, ok := w.takeFault(FaultNoPermission, c.route.pattern); ok {
		c.note("fault no_permission")
		c.decline(http.StatusForbidden, "NO_AUTH", "商户无此接口权限")
		return true
	}
	return false
}

// expiredByFault plays the fault of an expired merchant certificate.
func (c *v3Call) expiredByFault() bool {
	_, ok := c.w.takeFault(FaultCertExpired, c.route.pattern)
	return ok
}
