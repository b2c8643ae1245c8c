package wechattest

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"time"
)

// v3CertificateList serves GET /v3/certificates: the platform certificates, each
// encrypted with the APIv3 key. A merchant in public key mode has none.
func (w *WeChat) v3CertificateList(c *v3Call) {
	if p := c.checkQuery([]v3Field{v3Choice("algorithm_type", "算法类型", 32, "RSA", "SM2", "ALL")}); p != nil {
		c.declineField(p)
		return
	}
	var keys []*v3Key
	w.v3Locked(func(s *v3State) {
		if s.mode != V3PublicKey {
			keys = append(keys, s.platform...)
		}
	})
	if _, ok := w.takeFault(FaultCertificatesExpiring, ""); ok {
		c.note("fault certificates_expiring")
		keys = w.expiring(keys)
	}
	if len(keys) == 0 || c.query.Get("algorithm_type") == "SM2" {
		c.decline(http.StatusNotFound, "RESOURCE_NOT_EXISTS", "无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥。")
		return
	}
	key := w.apiV3Key()
	list := []v3Object{}
	for _, k := range keys {
		nonce := w.ids.text(alnum, 12)
		list = append(list, v3Object{
			{"effective_time", v3Stamp(k.cert.NotBefore)},
			{"encrypt_certificate", v3Object{
				{"algorithm", "AEAD_AES_256_GCM"}, {"associated_data", "certificate"},
				{"ciphertext", base64.StdEncoding.EncodeToString(sealV3(key, nonce, "certificate", k.certPEM()))}, {"nonce", nonce},
			}},
			{"expire_time", v3Stamp(k.cert.NotAfter)}, {"serial_no", k.id},
		})
	}
	c.succeed(v3Object{{"data", list}})
}

// certificatesLeft is how long the platform certificates of certificates_expiring are valid.
const certificatesLeft = 5 * 24 * time.Hour

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
