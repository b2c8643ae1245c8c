package paytest

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"

	"h5pay/internal/api"
	"h5pay/internal/fen"
)

// Operator returns the operator, who calls with the token.
func (s *Shop) Operator() *Person {
	p := &Person{Shop: s, Cookies: map[string]string{}, IP: "203.0.113.200", Token: AdminToken}
	p.calls = calls{s.T, p.Must}
	return p
}

// RefundPath returns the path of an order's refunds.
func RefundPath(id string) string { return api.PathAdminOrders + "/" + id + "/refund" }

// RefundRequest returns a request for a refund, under a new key.
func RefundRequest(amount fen.Fen) api.RefundRequest {
	return api.RefundRequest{RefundKey: rand.Text(), Amount: amount, Reason: "少了一包"}
}

// Refund makes a refund, which must succeed.
func (c calls) Refund(id string, req api.RefundRequest) api.Refund {
	c.t.Helper()
	var r api.Refund
	c.must("POST", RefundPath(id), req, &r)
	return r
}

// AdminOrder reads an order as the operator.
func (c calls) AdminOrder(id string) api.AdminOrder {
	c.t.Helper()
	var o api.AdminOrder
	c.must("GET", api.PathAdminOrders+"/"+id, nil, &o)
	return o
}

// SetSelling switches selling on or off.
func (c calls) SetSelling(on bool) api.Selling {
	c.t.Helper()
	var state api.Selling
	c.must("POST", api.PathAdminSelling, api.SellingRequest{Selling: &on}, &state)
	return state
}

// ClosePath returns the path at which the operator cancels an order.
func ClosePath(id string) string { return api.PathAdminOrders + "/" + id + "/close" }

// ReplayPath returns the path at which the operator replays an event.
func ReplayPath(id string) string { return api.PathAdminEvents + "/" + id + "/replay" }

// Health reads the health page. It returns the problems of failed checks by name, and those of checks
// that pass without something optional.
func (s *Shop) Health() (wrong, without map[string]string) {
	s.T.Helper()
	op := s.Operator()
	a := op.Send(op.Request("GET", api.PathHealth, nil))
	var h api.Health
	if err := json.Unmarshal(a.Body, &h); err != nil || len(h.Checks) == 0 {
		s.T.Fatalf("%d %s, %v", a.Status, a.Body, err)
	}
	wrong, without = map[string]string{}, map[string]string{}
	for _, c := range h.Checks {
		switch {
		case !c.OK && c.Problem == "":
			s.T.Errorf("check %s fails without a problem", c.Name)
		case !c.OK:
			wrong[c.Name] = c.Problem
		case c.Problem != "":
			without[c.Name] = c.Problem
		}
	}
	if h.OK != (len(wrong) == 0) || h.OK != (a.Status == http.StatusOK) || !h.OK && a.Status != http.StatusServiceUnavailable {
		s.T.Errorf("%d %s", a.Status, a.Body)
	}
	return wrong, without
}

// WantWrong fails the test unless the named check alone fails, with a problem that contains a text.
// With an empty name no check may fail.
func (s *Shop) WantWrong(name, problem string) {
	s.T.Helper()
	wrong, _ := s.Health()
	if name == "" && len(wrong) > 0 || name != "" && (len(wrong) != 1 || !strings.Contains(wrong[name], problem)) {
		s.T.Errorf("wrong is %v, want %s: ... %s ...", wrong, name, problem)
	}
}

// Counters reads the counters as the operator does.
func (s *Shop) Counters() map[string]int64 {
	s.T.Helper()
	var c api.Counters
	s.Operator().Must("GET", api.PathAdminCounter, nil, &c)
	return c.Counters
}
