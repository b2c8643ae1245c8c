// Package cert_test makes refunds through the mTLS binding of a Worker. It runs the built signer on
// real workerd with real D1, against a WeChat that requires the merchant's certificate.
package cert_test

import (
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/cleanup"
	"h5pay/internal/paytest"
	"h5pay/internal/stack"
	"h5pay/simulator/server"
)

// shop is a running signer with a guest, who is also the operator.
type shop struct {
	*testing.T
	*paytest.Buyer
}

// TestMain ends every process that a test started.
func TestMain(m *testing.M) { cleanup.Main(m.Run) }

// open starts the signer with its own database. services are its bindings.
func open(t *testing.T, sim *server.Server, services map[string]stack.Service) *shop {
	t.Helper()
	worker := paytest.StartWorker(t, paytest.WorkerConfig{
		Root: "../..", Services: services,
		Vars: map[string]string{"WECHAT_BASE_URL": sim.URL, "SHOP_URL": sim.PhoneURL, "TRADE_TYPES": "NATIVE"},
	})
	s := &shop{t, paytest.NewBuyer(t, worker.URL, sim.PhoneURL, sim)}
	s.Token = worker.Env["ADMIN_TOKEN"]
	return s
}

// paid creates an order, pays it by its QR code and returns it.
func (s *shop) paid(sim *server.Server) api.Order {
	s.Helper()
	s.Must("POST", api.PathSession, nil, &api.Session{})
	c := s.OrderByCode("test", 1)
	sheet, err := sim.Scan(c.CodeURL)
	if err != nil {
		s.Fatal(err)
	}
	if _, err := sim.PaySheet(sheet.ID); err != nil {
		s.Fatal(err)
	}
	time.Sleep(4 * time.Second) // the signer does not query a new order
	o := s.GetOrder(c.Order.ID) // the signer queries WeChat
	if o.Status != api.StatusPaid {
		s.Fatalf("order %+v", o)
	}
	return o
}

// The Worker presents the bound certificate.
func TestRefundThroughTheBinding(t *testing.T) {
	t.Parallel()
	sim := server.Start(t, server.Config{})
	dir := t.TempDir()
	if err := sim.WriteCertificates(dir); err != nil {
		t.Fatal(err)
	}
	s := open(t, sim, map[string]stack.Service{"WECHAT_CERT": paytest.CertificateBinding(t, sim.TLSURL, dir)})
	o := s.paid(sim)
	r := s.Refund(o.ID, paytest.RefundRequest(1))
	if refunds := sim.Ledger().Refunds; r.Status != api.RefundProcessing || len(refunds) != 1 || refunds[0].OutRefundNo != r.ID {
		t.Errorf("refund %+v, WeChat has %+v", r, refunds)
	}
}

// Without the binding, the simulator rejects the call without a certificate as WeChat does. The
// refund stays pending.
func TestRefundWithoutTheBinding(t *testing.T) {
	t.Parallel()
	sim := server.Start(t, server.Config{})
	s := open(t, sim, nil)
	o := s.paid(sim)
	r := s.Refund(o.ID, paytest.RefundRequest(1))
	if r.Status != api.RefundCreated || r.Failure == "" || len(sim.Ledger().Refunds) != 0 {
		t.Errorf("refund %+v", r)
	}
}
