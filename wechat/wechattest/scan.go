package wechattest

import (
	"net/http"
	"time"
)

// codeURLLife is the life of a code_url: 2 hours (docs/wechat.md 4.4).
const codeURLLife = 2 * time.Hour

// DeclineError is the error of Scan: what the phone shows instead of a payment sheet.
type DeclineError struct {
	Text string // WeChat's text
	Hint string // for the developer, in English
}

// Error returns both.
func (r *DeclineError) Error() string { return r.Text + ": " + r.Hint }

// Scan scans the QR code of a NATIVE order, which is its code_url, and opens the
// payment sheet for the person who holds the phone. The error is a *DeclineError.
func (w *WeChat) Scan(codeURL string) (Sheet, error) {
	m := Message{From: PartyPhone, To: PartyWeChat, Kind: "scan", Method: "SCAN", URL: codeURL, Status: http.StatusOK}
	w.mu.Lock()
	s, declined := w.scan(codeURL)
	w.mu.Unlock()
	if declined != nil {
		m.Status, m.Response, m.Note = http.StatusForbidden, declined.Text, declined.Hint
		w.record(m)
		return Sheet{}, declined
	}
	m.Request, m.Note = s.OutTradeNo, "sheet "+s.ID+" is open"
	w.record(m)
	w.publish(Event{Kind: EventSheet, Sheet: &s})
	return s, nil
}

// scan makes the checks of Scan; the caller holds w.mu.
func (w *WeChat) scan(codeURL string) (Sheet, *DeclineError) {
	var pre *prepay
	for _, p := range w.prepays {
		if p.codeURL != "" && p.codeURL == codeURL {
			pre = p
		}
	}
	now := w.Now()
	switch {
	case pre == nil:
		return Sheet{}, &DeclineError{"二维码无效", "no NATIVE order has this code_url"}
	case pre.order.CodeURL != codeURL:
		return Sheet{}, &DeclineError{"二维码已过期", "the order was placed again, which voids the code_url before"}
	case now.Sub(pre.made) > codeURLLife:
		return Sheet{}, &DeclineError{"二维码已过期", "the code_url is older than 2 hours"}
	}
	if bad := pre.order.payable(now); bad != nil {
		return Sheet{}, &DeclineError{bad.ErrDesc, bad.note}
	}
	return w.addSheet(pre.order, w.users[w.holder]).Sheet, nil
}
