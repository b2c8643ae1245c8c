package wechattest

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// maxControlBody bounds a body of the control API, in bytes.
const maxControlBody = 64 << 10

// maxAdvance bounds one fast-forward; the retry list ends after 24 h.
const maxAdvance = 30 * 24 * time.Hour

// control is one call of the control API.
type control struct {
	Group  string `json:"group"`
	Method string `json:"method"`
	Path   string `json:"path"` // a ServeMux pattern
	Query  string `json:"query,omitempty"`
	Body   string `json:"body,omitempty"` // an example
	Text   string `json:"text"`

	serve http.HandlerFunc
}

// controls is the control API.
func (w *WeChat) controls() []control {
	return []control{
		{"Look", "GET", "/control/info", "", "", "Identities, addresses, users, fault kinds, the clock and this list.", w.controlInfo},
		{"Look", "GET", "/control/messages", "?after=0", "", "The message log, oldest first, from the message behind seq `after`.", w.controlMessages},
		{"Look", "GET", "/control/events", "", "", "What happens, live, as server-sent events: message, sheet, consent, refund, clock, user, environment, fault.", w.controlEvents},
		{"Look", "GET", "/control/ledger", "", "", "Orders, payments, refunds, and notifications with every attempt and the next retry.", w.controlLedger},
		{"Look", "GET", "/control/bill", "?date=20260301", "", "The bill of a day in Beijing as downloadbill gives it, at any time and without faults; empty when nothing is in it.", w.controlBill},

		{"Phone", "GET", "/control/sheets", "", "", "The payment sheets, open and answered.", w.controlSheets},
		{"Phone", "POST", "/control/sheets/{id}/pay", "", "", "Press the sheet's button.", w.pressSheet(w.PaySheet)},
		{"Phone", "POST", "/control/sheets/{id}/cancel", "", "", "Close the sheet.", w.pressSheet(w.CancelSheet)},
		{"Phone", "POST", "/control/scan", "", `{"code_url": "weixin://wxpay/bizpayurl?pr=..."}`, "Scan the code of a NATIVE order: its payment sheet opens.", w.controlScan},
		{"Phone", "GET", "/control/consents", "", "", "The consent pages of snsapi_userinfo, open and decided.", w.controlConsents},
		{"Phone", "POST", "/control/consents/{id}/approve", "", "", "Allow: the phone goes to `location`, with a code.", w.decide(true)},
		{"Phone", "POST", "/control/consents/{id}/refuse", "", "", "Refuse: the phone goes to `location`, without a code.", w.decide(false)},
		{"Phone", "POST", "/control/user", "", `{"openid": "` + w.users[0].OpenID + `"}`, "Hand the phone to another user.", w.controlUser},

		{"Phone", "POST", "/control/environment", "", `{"environment": "desktop"}`, "Open the shop elsewhere: " + environmentNames() + ".", w.controlEnvironment},
		{"Trouble", "POST", "/control/faults", "", `{"kind": "notify_lost", "count": 1}`, "Queue a fault for the next occasion. Kinds: see info. Some take `path` or `delay_ms`.", w.addFault},
		{"Trouble", "GET", "/control/faults", "", "", "The faults that still wait.", w.controlFaults},
		{"Trouble", "DELETE", "/control/faults", "", "", "Forget them.", w.clearFaults},
		{"Trouble", "POST", "/control/notifications", "", `{"out_trade_no": "...", "forge": ""}`, "Send a notification now. `forge`: see info; empty sends the true one again. With `out_refund_no` instead it is a refund's.", w.sendNotification},
		{"Trouble", "POST", "/control/refunds", "", `{"out_trade_no": "...", "refund_fee": 1}`, "Refund fen of a paid order by hand, as on the merchant platform.", w.controlRefund},
		{"Trouble", "POST", "/control/pay-in", "", "", "Pay money into the merchant's account: refunds that `not_enough` declined are taken from now on.", w.controlPayIn},
		{"Trouble", "POST", "/control/clock", "", `{"advance_ms": 15000}`, "Move the clock forward; what falls due on the way happens before the answer.", w.advanceClock},
	}
}

func (w *WeChat) controlMessages(rw http.ResponseWriter, r *http.Request) {
	var after int64
	if text := r.URL.Query().Get("after"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			writeError(rw, http.StatusBadRequest, fmt.Sprintf("after: want a whole number, got %q", text))
			return
		}
		after = n
	}
	writeJSON(rw, http.StatusOK, map[string]any{"messages": list(w.Messages(after))})
}

func (w *WeChat) controlLedger(rw http.ResponseWriter, _ *http.Request) {
	l := w.Ledger()
	writeJSON(rw, http.StatusOK, l)
}

func (w *WeChat) controlSheets(rw http.ResponseWriter, _ *http.Request) {
	writeJSON(rw, http.StatusOK, map[string]any{"sheets": list(w.Sheets())})
}

func (w *WeChat) controlConsents(rw http.ResponseWriter, _ *http.Request) {
	writeJSON(rw, http.StatusOK, map[string]any{"consents": list(w.Consents())})
}

func (w *WeChat) decide(approve bool) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		consent, err := w.Decide(r.PathValue("id"), approve)
		if err != nil {
			writeFailure(rw, err)
			return
		}
		writeJSON(rw, http.StatusOK, consent)
	}
}

func (w *WeChat) controlUser(rw http.ResponseWriter, r *http.Request) {
	var body struct {
		OpenID string `json:"openid"`
	}
	if !readJSON(rw, r, maxControlBody, &body) {
		return
	}
	if err := w.SetUser(body.OpenID); err != nil {
		writeFailure(rw, err)
		return
	}
	writeJSON(rw, http.StatusOK, w.User())
}

func (w *WeChat) controlEnvironment(rw http.ResponseWriter, r *http.Request) {
	var body struct {
		Environment Environment `json:"environment"`
	}
	if !readJSON(rw, r, maxControlBody, &body) {
		return
	}
	if err := w.SetEnvironment(body.Environment); err != nil {
		writeFailure(rw, err)
		return
	}
	writeJSON(rw, http.StatusOK, w.Place())
}

func (w *WeChat) addFault(rw http.ResponseWriter, r *http.Request) {
	var fault Fault
	if !readJSON(rw, r, maxControlBody, &fault) {
		return
	}
	if err := w.AddFault(fault); err != nil {
		writeFailure(rw, err)
		return
	}
	w.controlFaults(rw, r)
}

func (w *WeChat) controlFaults(rw http.ResponseWriter, _ *http.Request) {
	writeJSON(rw, http.StatusOK, map[string]any{"faults": list(w.Faults())})
}

func (w *WeChat) clearFaults(rw http.ResponseWriter, r *http.Request) {
	w.ClearFaults()
	w.controlFaults(rw, r)
}

func (w *WeChat) sendNotification(rw http.ResponseWriter, r *http.Request) {
	var body struct {
		OutTradeNo  string `json:"out_trade_no"`
		OutRefundNo string `json:"out_refund_no"`
		Forge       string `json:"forge"`
	}
	if !readJSON(rw, r, maxControlBody, &body) {
		return
	}
	var attempt Attempt
	var err error
	if body.OutRefundNo != "" {
		attempt, err = w.NotifyRefund(body.OutRefundNo, body.Forge)
	} else {
		attempt, err = w.Notify(body.OutTradeNo, body.Forge)
	}
	if err != nil {
		writeFailure(rw, err)
		return
	}
	writeJSON(rw, http.StatusOK, attempt)
}

func (w *WeChat) advanceClock(rw http.ResponseWriter, r *http.Request) {
	var body struct {
		AdvanceMS int64 `json:"advance_ms"`
	}
	if !readJSON(rw, r, maxControlBody, &body) {
		return
	}
	if body.AdvanceMS <= 0 || body.AdvanceMS > maxAdvance.Milliseconds() {
		writeError(rw, http.StatusBadRequest, fmt.Sprintf("advance_ms: want 1 to %d (30 days), got %d", maxAdvance.Milliseconds(), body.AdvanceMS))
		return
	}
	w.Advance(time.Duration(body.AdvanceMS) * time.Millisecond)
	writeJSON(rw, http.StatusOK, map[string]time.Time{"now": w.Now()})
}

// list makes an empty list of nil, which JSON would print as null.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
