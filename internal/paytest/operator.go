package paytest

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"

	"h5pay/internal/api"
	"h5pay/internal/fen"
)

// Operator is whoever holds the token.
func (s *Shop) Operator() *Person {
	return &Person{Shop: s, Cookies: map[string]string{}, IP: "203.0.113.200", Token: AdminToken}
}

func RefundPath(id string) string { return api.PathAdminOrders + "/" + id + "/refund" }

// RefundRequest asks for some money back, under a new key.
func RefundRequest(amount fen.Fen) api.RefundRequest {
	return api.RefundRequest{RefundKey: rand.Text(), Amount: amount, Reason: "少了一包"}
}

// Refund pays back and must succeed.
func (p *Person) Refund(id string, req api.RefundRequest) api.Refund {
	p.T.Helper()
	var r api.Refund
	p.Must("POST", RefundPath(id), req, &r)
	return r
}

// AdminOrder reads an order as the operator.
func (p *Person) AdminOrder(id string) api.AdminOrder {
	p.T.Helper()
	var o api.AdminOrder
	p.Must("GET", api.PathAdminOrders+"/"+id, nil, &o)
	return o
}

// SetSelling switches selling on or off.
func (p *Person) SetSelling(on bool) api.Selling {
	p.T.Helper()
	var state api.Selling
	p.Must("POST", api.PathAdminSelling, api.SellingRequest{Selling: &on}, &state)
	return state
}

func ClosePath(id string) string { return api.PathAdminOrders + "/" + id + "/close" }

func ReplayPath(id string) string { return api.PathAdminEvents + "/" + id + "/replay" }

// Health asks the health page and returns what is wrong, by check, and what the
// shop does without.
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
			s.T.Errorf("%s is wrong without a word", c.Name)
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

// WantWrong checks that one thing is wrong, or nothing for "".
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
