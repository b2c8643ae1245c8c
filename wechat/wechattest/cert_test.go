package wechattest

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// post sends fields to a simulator over HTTP and returns status and body.
func post(t *testing.T, client *http.Client, url string, fields []pair) (int, string) {
	t.Helper()
	res, err := client.Post(url, "text/xml; charset=utf-8", strings.NewReader(signedXML(fields, DefaultAPIKey)))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// clientWith trusts the simulator and presents the given certificates.
func clientWith(t *testing.T, s *Server, certs ...tls.Certificate) *http.Client {
	t.Helper()
	settings, err := s.ClientTLS()
	if err != nil {
		t.Fatal(err)
	}
	settings.Certificates = certs
	transport := &http.Transport{TLSClientConfig: settings}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// Refund wants the certificate, orderquery does not, and a wrong one is declined
// everywhere (docs/wechat.md 2.6, 2.8).
func TestRefundWantsTheMerchantsCertificate(t *testing.T) {
	s := Start(t, Config{ShopURL: shopOrigin, Doer: &shop{}})
	w := &world{WeChat: s.WeChat, t: t, h: s.Handler()}
	w.paid("cert001")
	refund, query := w.refundRequest("cert001", "r-1", "300"), w.closing("cert001")
	stranger, err := newIdentities(time.Now(), DefaultMchID, "")
	if err != nil {
		t.Fatal(err)
	}
	none, wrong := clientWith(t, s), clientWith(t, s, stranger.merchant)
	for _, tt := range []struct {
		name   string
		client *http.Client
		url    string
		fields []pair
		status int
		says   string
	}{
		{"no certificate", none, s.TLSURL + pathRefund, refund, 400, "No required SSL certificate was sent"},
		{"a stranger's", wrong, s.TLSURL + pathRefund, refund, 400, "The SSL certificate error"},
		{"a stranger's, where none is needed", wrong, s.TLSURL + pathOrderQuery, query, 400, "The SSL certificate error"},
		{"none is needed", none, s.TLSURL + pathOrderQuery, query, 200, StateSuccess},
		{"without TLS", none, s.URL + pathRefund, refund, 400, "No required SSL certificate was sent"},
	} {
		status, body := post(t, tt.client, tt.url, tt.fields)
		if status != tt.status || !strings.Contains(body, tt.says) {
			t.Errorf("%s: %d %s", tt.name, status, body)
		}
		if status == 400 && (!strings.Contains(body, "<center>nginx</center>") || w.last().Note == "") {
			t.Errorf("%s: %+v", tt.name, w.last())
		}
	}
	if n := len(s.Ledger().Refunds); n != 0 {
		t.Fatalf("%d refunds", n)
	}
	client, err := s.Client()
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	if status, body := post(t, client, s.TLSURL+pathRefund, refund); status != 200 || !strings.Contains(body, "<refund_id>") {
		t.Errorf("%d %s", status, body)
	}
	if m := w.last(); !strings.HasPrefix(m.URL, "https://localhost:") || m.Note != "" {
		t.Errorf("%+v", m)
	}
	s.Advance(6 * 365 * 24 * time.Hour)
	if status, body := post(t, client, s.TLSURL+pathOrderQuery, query); status != 400 || !strings.Contains(body, "The SSL certificate error") {
		t.Errorf("an expired certificate: %d %s", status, body)
	}
}

func TestPlainRefundsAreNoted(t *testing.T) {
	s := Start(t, Config{ShopURL: shopOrigin, Doer: &shop{}, PlainRefunds: true})
	w := &world{WeChat: s.WeChat, t: t, h: s.Handler()}
	w.paid("plain01")
	if status, body := post(t, http.DefaultClient, s.URL+pathRefund, w.refundRequest("plain01", "r-1", "300")); status != 200 || !strings.Contains(body, "<refund_id>") {
		t.Errorf("%d %s", status, body)
	}
	if m := w.last(); !strings.Contains(m.Note, "certificate here") {
		t.Errorf("note %q", m.Note)
	}
	if status, _ := post(t, clientWith(t, s), s.TLSURL+pathRefund, w.refundRequest("plain01", "r-1", "300")); status != 400 {
		t.Errorf("over TLS no certificate was required: %d", status)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestWriteCertificates(t *testing.T) {
	s := Start(t, Config{ShopURL: shopOrigin, Doer: &shop{}})
	dir := filepath.Join(t.TempDir(), "new")
	if err := s.WriteCertificates(dir); err != nil {
		t.Fatal(err)
	}
	cert, err := tls.LoadX509KeyPair(filepath.Join(dir, CertFile), filepath.Join(dir, KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	if cn := cert.Leaf.Subject.CommonName; cn != DefaultMchID {
		t.Errorf("the certificate names %s", cn)
	}
	root, err := os.ReadFile(filepath.Join(dir, RootFile))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(root) {
		t.Fatal("no root")
	}
	if info, err := os.Stat(filepath.Join(dir, KeyFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{cert}}}
	defer transport.CloseIdleConnections()
	w := &world{WeChat: s.WeChat, t: t, h: s.Handler()}
	if status, body := post(t, &http.Client{Transport: transport}, s.TLSURL+pathRefund, w.refundRequest("nobody1", "r-1", "1")); status != 200 || !strings.Contains(body, "ORDERNOTEXIST") {
		t.Errorf("%d %s", status, body)
	}
	if err := s.WriteCertificates(filepath.Join(dir, CertFile)); err == nil {
		t.Error("written into a file")
	}
}
