package wechattest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// certLife is the life of the merchant's certificate: about 5 years.
const certLife = 5 * 365 * 24 * time.Hour

// authority is a certificate authority of one simulator. It issues the certificates of the
// simulator's listener and of the merchant. Its key is never written to a file.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	from time.Time
	last int64 // serial number issued
}

// newAuthority makes an authority. Its certificates are valid by the simulator's clock and by the
// machine's, which clients use.
func newAuthority(epoch time.Time) (*authority, error) {
	a := &authority{from: epoch.Add(-24 * time.Hour)}
	if now := time.Now(); now.Before(epoch) {
		a.from = now.Add(-24 * time.Hour)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	a.key = key
	t := a.template("Simulated WeChat root")
	t.IsCA, t.BasicConstraintsValid, t.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	a.cert, err = x509.ParseCertificate(der)
	return a, err
}

func (a *authority) template(name string) *x509.Certificate {
	a.last++
	until := a.from.Add(certLife)
	if real := time.Now().Add(certLife); real.After(until) {
		until = real
	}
	return &x509.Certificate{
		SerialNumber: big.NewInt(a.last), NotBefore: a.from, NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature,
		Subject: pkix.Name{CommonName: name, Organization: []string{"Simulated WeChat, worth nothing elsewhere"}},
	}
}

// issue makes a key and its certificate.
func (a *authority) issue(t *x509.Certificate) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

// identities are the two certificates of a simulator.
type identities struct {
	authority        *authority
	server, merchant tls.Certificate
}

// newIdentities makes them; host is where the TLS listener is found.
func newIdentities(epoch time.Time, mchID, host string) (*identities, error) {
	a, err := newAuthority(epoch)
	if err != nil {
		return nil, err
	}
	id := &identities{authority: a}
	server := a.template("api.mch.weixin.qq.com")
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	server.DNSNames = []string{"localhost"}
	server.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	if ip := net.ParseIP(host); ip != nil {
		server.IPAddresses = append(server.IPAddresses, ip)
	} else if host != "" {
		server.DNSNames = append(server.DNSNames, host)
	}
	if id.server, err = a.issue(server); err != nil {
		return nil, err
	}
	// WeChat names the merchant in the common name.
	merchant := a.template(mchID)
	merchant.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	id.merchant, err = a.issue(merchant)
	return id, err
}

// identities makes the certificates at the first use.
func (w *WeChat) identities() (*identities, error) {
	w.certMu.Lock()
	defer w.certMu.Unlock()
	if w.certs != nil {
		return w.certs, nil
	}
	host, _, err := net.SplitHostPort(w.cfg.TLSAddr)
	if err != nil {
		host = ""
	}
	id, err := newIdentities(w.cfg.Epoch, w.cfg.MchID, host)
	if err != nil {
		return nil, fmt.Errorf("making the certificates: %w", err)
	}
	w.certs = id
	return id, nil
}

// Certificate is the merchant's API certificate, which WeChat issues at the merchant platform. On
// TLSConfig's listeners refund requires it.
func (w *WeChat) Certificate() (tls.Certificate, error) {
	id, err := w.identities()
	if err != nil {
		return tls.Certificate{}, err
	}
	return id.merchant, nil
}

// TLSConfig is the configuration of a TLS listener for Handler, as of api.mch.weixin.qq.com: any
// caller may present a certificate, and refund requires the merchant's.
func (w *WeChat) TLSConfig() (*tls.Config, error) {
	id, err := w.identities()
	if err != nil {
		return nil, err
	}
	// The certificate is requested and checked in HTTP, since WeChat declines with a
	// page.
	return &tls.Config{Certificates: []tls.Certificate{id.server}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}, nil
}

// ClientTLS is the configuration of a merchant's client: it trusts the
// simulator's listener and presents Certificate.
func (w *WeChat) ClientTLS() (*tls.Config, error) {
	id, err := w.identities()
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(id.authority.cert)
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{id.merchant}, MinVersion: tls.VersionTLS12}, nil
}

// The files of WriteCertificates.
const (
	CertFile = "apiclient_cert.pem"
	KeyFile  = "apiclient_key.pem"
	RootFile = "rootca.pem"
)

// WriteCertificates writes the merchant's certificate and key, and the root of the TLS
// listener, into a directory. It makes the directory if needed. The names are WeChat's.
// There is no apiclient_cert.p12.
func (w *WeChat) WriteCertificates(dir string) error {
	id, err := w.identities()
	if err != nil {
		return err
	}
	key, err := x509.MarshalPKCS8PrivateKey(id.merchant.PrivateKey)
	if err != nil {
		return fmt.Errorf("writing the certificates: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("writing the certificates: %w", err)
	}
	for _, f := range []struct {
		name, kind string
		der        []byte
		mode       os.FileMode
	}{
		{CertFile, "CERTIFICATE", id.merchant.Certificate[0], 0o644},
		{KeyFile, "PRIVATE KEY", key, 0o600},
		{RootFile, "CERTIFICATE", id.authority.cert.Raw, 0o644},
	} {
		text := pem.EncodeToMemory(&pem.Block{Type: f.kind, Bytes: f.der})
		if err := os.WriteFile(filepath.Join(dir, f.name), text, f.mode); err != nil {
			return fmt.Errorf("writing the certificates: %w", err)
		}
	}
	return nil
}

// certified wraps a call that wants the merchant's certificate
// (docs/wechat.md 2.8).
func (w *WeChat) certified(h func(x *exchange)) func(x *exchange) {
	return func(x *exchange) {
		switch {
		case x.r.TLS == nil && w.cfg.PlainRefunds:
			x.note("WeChat would demand the merchant's certificate here; -plain-refunds accepts the refund without it")
		case x.r.TLS == nil || len(x.r.TLS.PeerCertificates) == 0:
			x.note("refund wants the merchant's client certificate (apiclient_cert.pem and its key) in the TLS handshake; none was presented")
			x.html(http.StatusBadRequest, certPage("No required SSL certificate was sent"))
			return
		}
		h(x)
	}
}

// trusted declines a certificate that is not this merchant's, or has expired, on every path.
// WeChat's front servers do so even where no certificate is required.
func (x *exchange) trusted() bool {
	if x.r.TLS == nil || len(x.r.TLS.PeerCertificates) == 0 {
		return true
	}
	id, err := x.w.identities()
	if err != nil {
		x.note("%v", err)
		x.html(http.StatusInternalServerError, nginxPage("500 Internal Server Error"))
		return false
	}
	roots := x509.NewCertPool()
	roots.AddCert(id.authority.cert)
	leaf := x.r.TLS.PeerCertificates[0]
	_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: x.w.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err == nil {
		return true
	}
	x.note("the client certificate is not the merchant's, or has expired: %v", err)
	x.html(http.StatusBadRequest, certPage("The SSL certificate error"))
	return false
}

// certPage is the page of the front servers about a client certificate.
func certPage(text string) string {
	return "<html>\r\n<head><title>400 " + text + "</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n<center>" + text +
		"</center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
}
