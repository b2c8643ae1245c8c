// Package cert_test makes refunds through the mTLS binding of a Worker. It runs the built signer on
// real workerd with real D1, against a WeChat that requires the merchant's certificate.
package cert_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/cleanup"
	"h5pay/internal/stack"
	"h5pay/simulator/server"
	"h5pay/wechat/wechattest"
)

// shop is a running signer with a guest client.
type shop struct {
	*testing.T
	url  string
	env  map[string]string
	http *http.Client
}

// TestMain ends every process that a test started.
func TestMain(m *testing.M) { cleanup.Main(m.Run) }

// open starts the signer with its own database. services are its bindings.
func open(t *testing.T, sim *server.Server, services map[string]stack.Service) *shop {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := stack.SchemaFiles(root)
	if err != nil {
		t.Fatal(err)
	}
	d1, err := stack.StartD1(context.Background(), root, schema...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d1.Close)
	env, err := stack.NewEnv(filepath.Join(root, ".dev.vars.example"))
	if err != nil {
		t.Fatal(err)
	}
	env["WECHAT_BASE_URL"], env["SHOP_URL"], env["TRADE_TYPES"] = sim.URL, sim.PhoneURL, "NATIVE"
	var log bytes.Buffer
	worker, err := stack.StartWorkerd(context.Background(), stack.WorkerdConfig{
		Dir: root, Modules: filepath.Join(root, "build"), Entry: "worker.mjs", D1: d1.Address, Vars: env, Services: services, Output: &log,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		worker.Close() // the log is complete now
		if t.Failed() {
			t.Log(log.String())
		}
	})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &shop{t, worker.URL, env, &http.Client{Jar: jar}}
}

// call makes a call that must succeed.
func (s *shop) call(method, path, body string, out any) {
	s.Helper()
	req, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+s.env["ADMIN_TOKEN"])
	res, err := s.http.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		s.Fatalf("%s %s: %s %s, %v", method, path, res.Status, b, err)
	}
	if err := json.Unmarshal(b, out); err != nil {
		s.Fatal(err)
	}
}

// paid creates an order, pays it by its QR code and returns it.
func (s *shop) paid(sim *server.Server) api.Order {
	s.Helper()
	s.call("POST", api.PathSession, "", &api.Session{})
	var o api.Order
	s.call("POST", api.PathOrders, `{"items": [{"product_id": "test", "quantity": 1}], "trade_type": "NATIVE", "client_key": "cert-00000000000000"}`, &o)
	var c api.Checkout
	s.call("POST", api.OrderPayPath(o.ID), `{}`, &c)
	sheet, err := sim.Scan(c.CodeURL)
	if err != nil {
		s.Fatal(err)
	}
	if _, err := sim.PaySheet(sheet.ID); err != nil {
		s.Fatal(err)
	}
	time.Sleep(4 * time.Second)                                                       // the signer does not query a new order
	if s.call("GET", api.OrderPath(c.Order.ID), "", &o); o.Status != api.StatusPaid { // the signer queries WeChat
		s.Fatalf("order %+v", o)
	}
	return o
}

// The Worker presents the bound certificate.
func TestRefundThroughTheBinding(t *testing.T) {
	sim := server.Start(t, server.Config{})
	dir := t.TempDir()
	if err := sim.WriteCertificates(dir); err != nil {
		t.Fatal(err)
	}
	file := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	s := open(t, sim, map[string]stack.Service{"WECHAT_CERT": {
		Address: strings.TrimPrefix(sim.TLSURL, "https://"),
		Cert:    file(wechattest.CertFile), Key: file(wechattest.KeyFile), Root: file(wechattest.RootFile),
	}})
	o := s.paid(sim)
	var r api.Refund
	s.call("POST", api.PathAdminOrders+"/"+o.ID+"/refund", `{"refund_key": "cert-00000000000000", "amount": 1}`, &r)
	if refunds := sim.Ledger().Refunds; r.Status != api.RefundProcessing || len(refunds) != 1 || refunds[0].OutRefundNo != r.ID {
		t.Errorf("refund %+v, WeChat has %+v", r, refunds)
	}
}

// Without the binding, the simulator rejects the call without a certificate as WeChat does. The
// refund stays pending.
func TestRefundWithoutTheBinding(t *testing.T) {
	sim := server.Start(t, server.Config{})
	s := open(t, sim, nil)
	o := s.paid(sim)
	var r api.Refund
	s.call("POST", api.PathAdminOrders+"/"+o.ID+"/refund", `{"refund_key": "cert-00000000000000", "amount": 1}`, &r)
	if r.Status != api.RefundCreated || r.Failure == "" || len(sim.Ledger().Refunds) != 0 {
		t.Errorf("refund %+v", r)
	}
}
