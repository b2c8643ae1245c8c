package paytest

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/v1"
)

// Operator returns the operator, who calls with the token.
func (s *Shop) Operator() *Person {
	p := &Person{Shop: s, Cookies: map[string]string{}, IP: "203.0.113.200", Token: AdminToken}
	p.calls = calls{s.T, p.Must}
	return p
}

// RefundPath returns the path of an order's refunds.
func RefundPath(id string) string { return "/v1/orders/" + id + "/refunds" }

// RefundCall is a request for a refund with its Idempotency-Key.
type RefundCall struct {
	v1.CreateRefund
	Key string `json:"-"`
}

// RefundRequest returns a request for a refund, under a new key.
func RefundRequest(amount fen.Fen) RefundCall {
	return RefundCall{v1.CreateRefund{Amount: amount, Reason: "少了一包"}, rand.Text()}
}

// setIdempotencyKey gives a call of /v1 that makes something the key of its body, or a new one.
func setIdempotencyKey(r *http.Request, body any) {
	switch call, ok := body.(RefundCall); {
	case ok:
		r.Header.Set("Idempotency-Key", call.Key)
	case r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/v1/"):
		r.Header.Set("Idempotency-Key", rand.Text())
	}
}

// Refund makes a refund, which must succeed.
func (c calls) Refund(id string, req RefundCall) v1.Refund {
	c.t.Helper()
	var r v1.Refund
	c.must("POST", RefundPath(id), req, &r)
	return r
}

// StoredOrder reads an order as the operator.
func (c calls) StoredOrder(id string) v1.Order {
	c.t.Helper()
	var o v1.Order
	c.must("GET", "/v1/orders/"+id, nil, &o)
	return o
}

// SyncedOrder reads an order as the operator after WeChat was queried about it.
func (c calls) SyncedOrder(id string) v1.Order {
	c.t.Helper()
	var o v1.Order
	c.must("GET", "/v1/orders/"+id+"?sync=true", nil, &o)
	return o
}

// SetSelling switches selling on or off.
func (c calls) SetSelling(on bool) v1.Selling {
	c.t.Helper()
	var state v1.Selling
	c.must("PUT", "/v1/selling", v1.PutSelling{Selling: &on}, &state)
	return state
}

// ClosePath returns the path at which the operator cancels an order.
func ClosePath(id string) string { return "/v1/orders/" + id + "/close" }

// ReplayPath returns the path at which the operator replays an event.
func ReplayPath(id string) string { return "/v1/events/" + id + "/replay" }

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
	var c v1.Counters
	s.Operator().Must("GET", "/v1/counters", nil, &c)
	return c.Counters
}
