package desk

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"h5pay/simulator/web"
	"h5pay/wechat/wechattest"
)

// maxControlBody is the longest body of the control API, in bytes.
const maxControlBody = 64 << 10

// maxAdvance is the longest step of the clock. The retry list ends after 24 h.
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
func (d *Desk) controls() []control {
	return []control{
		{"Look", "GET", "/control/info", "", "", "Identities, addresses, users, fault kinds, the clock and this list.", d.controlInfo},
		{"Look", "GET", "/control/messages", "?after=0", "", "The message log, oldest first, from the message behind seq `after`.", d.controlMessages},
		{"Look", "GET", "/control/events", "", "", "What happens, live, as server-sent events: message, sheet, consent, refund, clock, user, environment, fault, v3.", d.controlEvents},
		{"Look", "GET", "/control/ledger", "", "", "Orders, payments, refunds, and notifications with every attempt and the next retry.", d.controlLedger},
		{"Look", "GET", "/control/bill", "?date=20260301", "", "The bill of a day in Beijing as downloadbill gives it, at any time and without faults; empty when nothing is in it.", d.controlBill},

		{"Phone", "GET", "/control/sheets", "", "", "The payment sheets, open and answered.", d.controlSheets},
		{"Phone", "POST", "/control/sheets/{id}/pay", "", "", "Press the sheet's button.", web.PressSheet(d.wechat.PaySheet)},
		{"Phone", "POST", "/control/sheets/{id}/cancel", "", "", "Close the sheet.", web.PressSheet(d.wechat.CancelSheet)},
		{"Phone", "POST", "/control/scan", "", `{"code_url": "weixin://wxpay/bizpayurl?pr=..."}`, "Scan the code of a NATIVE order: its payment sheet opens.", d.controlScan},
		{"Phone", "GET", "/control/consents", "", "", "The consent pages of snsapi_userinfo, open and decided.", d.controlConsents},
		{"Phone", "POST", "/control/consents/{id}/approve", "", "", "Allow: the phone goes to `location`, with a code.", d.decide(true)},
		{"Phone", "POST", "/control/consents/{id}/decline", "", "", "Decline: the phone goes to `location`, without a code.", d.decide(false)},
		{"Phone", "POST", "/control/user", "", `{"openid": "` + d.wechat.Users()[0].OpenID + `"}`, "Hand the phone to another user.", d.controlUser},

		{"Phone", "POST", "/control/environment", "", `{"environment": "desktop"}`, "Open the shop elsewhere: " + environmentNames() + ".", d.controlEnvironment},
		{"Trouble", "POST", "/control/faults", "", `{"kind": "notify_lost", "count": 1}`, "Queue a fault for the next occasion. Kinds: see info. Some take `path` or `delay_ms`.", d.addFault},
		{"Trouble", "GET", "/control/faults", "", "", "The faults that still wait.", d.controlFaults},
		{"Trouble", "DELETE", "/control/faults", "", "", "Forget them.", d.clearFaults},
		{"Trouble", "POST", "/control/notifications", "", `{"out_trade_no": "...", "forge": ""}`, "Send a notification now. `forge`: see info; empty sends the true one again. With `out_refund_no` instead it is a refund's.", d.sendNotification},
		{"Trouble", "POST", "/control/refunds", "", `{"out_trade_no": "...", "refund_fee": 1}`, "Refund fen of a paid order by hand, as on the merchant platform.", d.controlRefund},
		{"Trouble", "POST", "/control/pay-in", "", "", "Pay money into the merchant's account: refunds that `not_enough` declined are taken from now on.", d.controlPayIn},
		{"Keys", "GET", "/control/v3", "", "", "What the merchant has for APIv3: mode, keys, certificates, serial numbers.", d.controlV3},
		{"Keys", "POST", "/control/v3/mode", "", `{"mode": "both"}`, "Which keys WeChat has: `public_key`, `certificates` or `both`.", d.setV3Mode},
		{"Keys", "POST", "/control/v3/share", "", `{"percent": 10}`, "In the mode `both`: the percentage of callbacks that the public key signs.", d.setV3Share},
		{"Keys", "POST", "/control/v3/merchant-key/rotate", "", "", "Make another merchant key and certificate. The ones before stay valid.", d.changeV3(func() { d.wechat.RotateV3MerchantKey() })},
		{"Keys", "POST", "/control/v3/merchant-key/revoke", "", "", "Revoke every merchant certificate but the newest.", d.changeV3(d.wechat.RevokeV3MerchantKeys)},
		{"Keys", "POST", "/control/v3/public-key/rotate", "", "", "Make another public key of WeChat Pay. It signs from now on.", d.changeV3(func() { d.wechat.RotateV3PublicKey() })},
		{"Keys", "POST", "/control/v3/certificate/announce", "", "", "Add a platform certificate to `/v3/certificates`. It does not sign yet.", d.changeV3(func() { d.wechat.AnnounceV3Certificate() })},
		{"Keys", "POST", "/control/v3/certificate/rotate", "", "", "Sign with the newest platform certificate. One is made if none was announced.", d.changeV3(func() { d.wechat.RotateV3Certificate() })},
		{"Keys", "POST", "/control/v3/key", "", `{"key": ""}`, "Change the APIv3 key, 32 letters and digits. The simulator makes one if it is empty.", d.setAPIv3Key},
		{"Trouble", "POST", "/control/clock", "", `{"advance_ms": 15000}`, "Move the clock forward; what falls due on the way happens before the answer.", d.advanceClock},
	}
}

// environmentNames lists the environments.
func environmentNames() string {
	var names []string
	for _, p := range wechattest.Environments() {
		names = append(names, string(p.Environment))
	}
	return strings.Join(names, ", ")
}

func (d *Desk) controlMessages(rw http.ResponseWriter, r *http.Request) {
	var after int64
	if text := r.URL.Query().Get("after"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			web.WriteError(rw, http.StatusBadRequest, fmt.Sprintf("after: want a whole number, got %q", text))
			return
		}
		after = n
	}
	web.WriteJSON(rw, http.StatusOK, map[string]any{"messages": list(d.wechat.Messages(after))})
}

func (d *Desk) controlLedger(rw http.ResponseWriter, _ *http.Request) {
	l := d.wechat.Ledger()
	web.WriteJSON(rw, http.StatusOK, l)
}

func (d *Desk) controlSheets(rw http.ResponseWriter, _ *http.Request) {
	web.WriteJSON(rw, http.StatusOK, map[string]any{"sheets": list(d.wechat.Sheets())})
}

func (d *Desk) controlConsents(rw http.ResponseWriter, _ *http.Request) {
	web.WriteJSON(rw, http.StatusOK, map[string]any{"consents": list(d.wechat.Consents())})
}

func (d *Desk) decide(approve bool) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		consent, err := d.wechat.Decide(r.PathValue("id"), approve)
		web.WriteResult(rw, consent, err)
	}
}

func (d *Desk) controlUser(rw http.ResponseWriter, r *http.Request) {
	var body struct {
		OpenID string `json:"openid"`
	}
	if !web.ReadJSON(rw, r, maxControlBody, &body) {
		return
	}
	err := d.wechat.SetUser(body.OpenID)
	web.WriteResult(rw, d.wechat.User(), err)
}

func (d *Desk) controlEnvironment(rw http.ResponseWriter, r *http.Request) {
	var body struct {
		Environment wechattest.Environment `json:"environment"`
	}
	if !web.ReadJSON(rw, r, maxControlBody, &body) {
		return
	}
	err := d.wechat.SetEnvironment(body.Environment)
	web.WriteResult(rw, d.wechat.Place(), err)
}

func (d *Desk) addFault(rw http.ResponseWriter, r *http.Request) {
	var fault wechattest.Fault
	if !web.ReadJSON(rw, r, maxControlBody, &fault) {
		return
	}
	if err := d.wechat.AddFault(fault); err != nil {
		web.WriteFailure(rw, err)
		return
	}
	d.controlFaults(rw, r)
}

func (d *Desk) controlFaults(rw http.ResponseWriter, _ *http.Request) {
	web.WriteJSON(rw, http.StatusOK, map[string]any{"faults": list(d.wechat.Faults())})
}

func (d *Desk) clearFaults(rw http.ResponseWriter, r *http.Request) {
	d.wechat.ClearFaults()
	d.controlFaults(rw, r)
}

func (d *Desk) sendNotification(rw http.ResponseWriter, r *http.Request) {
	var body struct {
		OutTradeNo  string `json:"out_trade_no"`
		OutRefundNo string `json:"out_refund_no"`
		Forge       string `json:"forge"`
	}
	if !web.ReadJSON(rw, r, maxControlBody, &body) {
		return
	}
	var attempt wechattest.Attempt
	var err error
	if body.OutRefundNo != "" {
		attempt, err = d.wechat.NotifyRefund(body.OutRefundNo, body.Forge)
	} else {
		attempt, err = d.wechat.Notify(body.OutTradeNo, body.Forge)
	}
	web.WriteResult(rw, attempt, err)
}

func (d *Desk) advanceClock(rw http.ResponseWriter, r *http.Request) {
	var body struct {
		AdvanceMS int64 `json:"advance_ms"`
	}
	if !web.ReadJSON(rw, r, maxControlBody, &body) {
		return
	}
	if body.AdvanceMS <= 0 || body.AdvanceMS > maxAdvance.Milliseconds() {
		web.WriteError(rw, http.StatusBadRequest, fmt.Sprintf("advance_ms: want 1 to %d (30 days), got %d", maxAdvance.Milliseconds(), body.AdvanceMS))
		return
	}
	d.wechat.Advance(time.Duration(body.AdvanceMS) * time.Millisecond)
	web.WriteJSON(rw, http.StatusOK, map[string]time.Time{"now": d.wechat.Now()})
}

// list returns an empty list for nil, which JSON would print as null.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
