package desk

import (
	"fmt"
	"net/http"
	"time"

	"h5pay/simulator/web"
)

// controlScan is POST /control/scan.
func (d *Desk) controlScan(rw http.ResponseWriter, r *http.Request) {
	var body struct {
		CodeURL string `json:"code_url"`
	}
	if !web.ReadJSON(rw, r, maxControlBody, &body) {
		return
	}
	sheet, err := d.wechat.Scan(body.CodeURL)
	web.WriteResult(rw, sheet, err)
}

// controlPayIn is POST /control/pay-in.
func (d *Desk) controlPayIn(rw http.ResponseWriter, _ *http.Request) {
	d.wechat.PayIn()
	web.WriteJSON(rw, http.StatusOK, map[string]bool{"ok": true})
}

// controlRefund is POST /control/refunds.
func (d *Desk) controlRefund(rw http.ResponseWriter, r *http.Request) {
	var body struct {
		OutTradeNo string `json:"out_trade_no"`
		Fee        int64  `json:"refund_fee"` // fen
	}
	if !web.ReadJSON(rw, r, maxControlBody, &body) {
		return
	}
	refund, err := d.wechat.Refund(body.OutTradeNo, body.Fee)
	web.WriteResult(rw, refund, err)
}

// controlBill is GET /control/bill.
func (d *Desk) controlBill(rw http.ResponseWriter, r *http.Request) {
	text := r.URL.Query().Get("date")
	day, err := time.ParseInLocation("20060102", text, time.FixedZone("CST", 8*3600))
	if err != nil || len(text) != 8 {
		web.WriteError(rw, http.StatusBadRequest, fmt.Sprintf("date: want a day, yyyyMMdd, got %q", text))
		return
	}
	web.WriteJSON(rw, http.StatusOK, map[string]string{"bill": d.wechat.Bill(day)})
}
