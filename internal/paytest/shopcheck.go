package paytest

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/store/storetest"
	"h5pay/wechat/wechattest"
)

// Check is CheckBooks and CheckLog.
func (s *Shop) Check() {
	s.T.Helper()
	s.CheckBooks()
	s.CheckLog()
}

// CheckBooks fails the test if an invariant of the database does not hold, or if WeChat has no money for
// a paid payment.
func (s *Shop) CheckBooks() {
	s.T.Helper()
	storetest.Check(s.T, s.DB)
	rows, err := s.DB.Query(`SELECT out_trade_no, trade_type, COALESCE(payer, ''), payer IS NULL, total, transaction_id FROM payments WHERE transaction_id IS NOT NULL`)
	if err != nil {
		s.T.Fatal(err)
	}
	defer rows.Close()
	trades := s.Sim.Ledger().Trades // read after the payments, because it only grows
	for rows.Next() {
		var outTradeNo, tradeType, openid, transaction string
		var unknown bool
		var total int64
		if err := rows.Scan(&outTradeNo, &tradeType, &openid, &unknown, &total, &transaction); err != nil {
			s.T.Fatal(err)
		}
		if !slices.ContainsFunc(trades, func(t wechattest.Trade) bool {
			return t.TransactionID == transaction && t.OutTradeNo == outTradeNo && t.TotalFee == total &&
				(t.OpenID == openid || openid == "" && !unknown /* erased */ || unknown && tradeType != "JSAPI" && len(s.Sim.RefundsOf(outTradeNo)) > 0)
		}) {
			s.T.Errorf("payment %s is paid with %d by %s, WeChat has %+v", outTradeNo, total, transaction, trades)
		}
	}
}

// CheckLog fails the test if the log has a secret or an openid.
func (s *Shop) CheckLog() {
	s.T.Helper()
	text := s.Log.String()
	for _, secret := range s.secrets() {
		if strings.Contains(text, secret) {
			s.T.Errorf("%q is in the log:\n%s", secret, text)
		}
	}
}

// Secrets must be in no line of the log and in no response.
var Secrets = []string{
	wechattest.DefaultAppSecret, wechattest.DefaultAPIKey, wechattest.DefaultAPIv3Key, sessionKey, oldSessionKey, AdminToken, WebhookSecret, OldWebhookSecret,
}

// secrets returns Secrets, the openids and the access tokens: no line of the log may have one.
func (s *Shop) secrets() []string {
	all := append(slices.Clone(Secrets), "erp.example.com")
	for _, user := range s.Sim.Users() {
		all = append(all, user.OpenID)
	}
	for _, m := range s.Sim.Messages(0) {
		if m.Kind == "access_token" {
			var reply struct {
				AccessToken string `json:"access_token"`
			}
			if json.Unmarshal([]byte(m.Response), &reply) == nil && reply.AccessToken != "" {
				all = append(all, reply.AccessToken)
			}
		}
	}
	return all
}

// OutTradeNo returns the out_trade_no of the newest payment of an order.
func (s *Shop) OutTradeNo(id string) string {
	s.T.Helper()
	var no string
	if err := s.DB.QueryRow(`SELECT out_trade_no FROM payments WHERE order_id = ? ORDER BY created_at DESC, out_trade_no DESC LIMIT 1`, id).Scan(&no); err != nil {
		s.T.Fatal(err)
	}
	return no
}

// WantPath fails the test unless the order went through these statuses, in this order, after open.
func (s *Shop) WantPath(id string, statuses ...api.OrderStatus) {
	s.T.Helper()
	var want []string
	was := api.StatusOpen
	for _, status := range statuses {
		want = append(want, string(was)+">"+string(status))
		was = status
	}
	if d := cmp.Diff(want, storetest.Transitions(s.T, s.DB, id)); d != "" {
		s.T.Errorf("order %s (-want +got):\n%s", id, d)
	}
}

// WantStatus fails the test unless the order is stored with a status. It causes no query.
func (s *Shop) WantStatus(id string, want api.OrderStatus) {
	s.T.Helper()
	var got api.OrderStatus
	if err := s.DB.QueryRow(`SELECT status FROM orders WHERE id = ?`, id).Scan(&got); err != nil || got != want {
		s.T.Errorf("order %s is %s, %v; want %s", id, got, err, want)
	}
}

// WantPayment fails the test unless the newest payment of an order is stored with a status. It causes no
// query.
func (s *Shop) WantPayment(id string, want api.PaymentStatus) {
	s.T.Helper()
	var got api.PaymentStatus
	if err := s.DB.QueryRow(`SELECT status FROM payments WHERE out_trade_no = ?`, s.OutTradeNo(id)).Scan(&got); err != nil || got != want {
		s.T.Errorf("the payment of order %s is %s, %v; want %s", id, got, err, want)
	}
}

// RefundsOf returns the stored refunds of an order, such as "processing 600, failed 100 NOTENOUGH".
func (s *Shop) RefundsOf(id string) string {
	s.T.Helper()
	var all string
	if err := s.DB.QueryRow(`SELECT COALESCE(group_concat(status || ' ' || amount || COALESCE(' ' || failure, ''), ', ' ORDER BY created_at, id), '')
		FROM refunds WHERE order_id = ?`, id).Scan(&all); err != nil {
		s.T.Fatal(err)
	}
	return all
}

// WantRefunds fails the test unless RefundsOf returns want.
func (s *Shop) WantRefunds(id, want string) {
	s.T.Helper()
	if got := s.RefundsOf(id); got != want {
		s.T.Errorf("refunds %q, want %q\n%s", got, want, s.Log)
	}
}

// StateAtWeChat returns WeChat's trade_state of the newest payment of an order, "" if WeChat does not
// have it.
func (s *Shop) StateAtWeChat(id string) string {
	s.T.Helper()
	no := s.OutTradeNo(id)
	for _, o := range s.Sim.Ledger().Orders {
		if o.OutTradeNo == no {
			return o.State
		}
	}
	return ""
}

// Calls returns the number of the shop's calls of one kind to WeChat.
func (s *Shop) Calls(kind string) int {
	n := 0
	for _, m := range s.Sim.Messages(0) {
		if m.Kind == kind {
			n++
		}
	}
	return n
}

// LastSent returns the body of the shop's last call of one kind to WeChat.
func (s *Shop) LastSent(kind string) string {
	last := ""
	for _, m := range s.Sim.Messages(0) {
		if m.Kind == kind {
			last = m.Request
		}
	}
	return last
}

// ErrorLines returns the number of the log's lines of level ERROR.
func (s *Shop) ErrorLines() int { return strings.Count(s.Log.String(), "level=ERROR") }
