package warm_test

import (
	"net/http"
	"strings"
	"testing"

	"h5pay/internal/paytest"
	"h5pay/internal/stack"
	"h5pay/wechat/wechattest"
)

// A request through a binding presents the merchant's certificate, as with Cloudflare's mTLS
// binding. Plain fetch presents none.
func TestFetchThroughABindingPresentsTheCertificate(t *testing.T) {
	t.Parallel()
	sim := wechattest.Start(t, wechattest.Config{})
	dir := t.TempDir()
	if err := sim.WriteCertificates(dir); err != nil {
		t.Fatal(err)
	}
	for name, service := range map[string]stack.Service{
		"the merchant's": paytest.CertificateBinding(t, sim.TLSURL, dir),
		"none":           {Address: strings.TrimPrefix(sim.URL, "http://")},
	} {
		w := newWorldWith(t, nil, stack.WorkerdConfig{Services: map[string]stack.Service{"CERT": service}})
		// WeChat checks the certificate before the message.
		res, err := w.client.Post(w.worker.URL+"/certified?url="+sim.TLSURL+"/secapi/pay/refund", "text/xml", strings.NewReader("<xml></xml>"))
		if err != nil {
			t.Fatal(err)
		}
		text := readAll(t, res)
		if name == "none" {
			if res.StatusCode != http.StatusBadRequest || !strings.Contains(text, "No required SSL certificate was sent") {
				t.Errorf("without a certificate: %d %q", res.StatusCode, text)
			}
		} else if res.StatusCode != http.StatusOK || !strings.Contains(text, "<return_code><![CDATA[FAIL]]>") {
			t.Errorf("with the certificate: %d %q\n%s", res.StatusCode, text, w.log)
		}
	}
}

// A missing binding gives an error that names it, and nothing else fails.
func TestMissingBindings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	if status, text, err := w.get("/limit", "key", "x"); err != nil || status != 200 || text != "false wrangler.toml: want a binding LIMIT with the method limit" {
		t.Errorf("limit: %d %q, %v", status, text, err)
	}
	res, err := w.client.Post(w.worker.URL+"/certified?url=https://localhost/", "text/xml", nil)
	if err != nil {
		t.Fatal(err)
	}
	if text := readAll(t, res); res.StatusCode != http.StatusBadGateway || !strings.Contains(text, "want a binding CERT with the method fetch") {
		t.Errorf("cert: %d %q", res.StatusCode, text)
	}
	w.wantWork("after", "fetch", "1", "d1", "1")
}
