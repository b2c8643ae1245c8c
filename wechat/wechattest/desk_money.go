package wechattest

import (
	"fmt"
	"net/http"
	"time"
)

// controlScan is POST /control/scan.
func (w *WeChat) controlScan(rw http.ResponseWriter, r *http.Request) {
	var body struct {
		CodeURL string `json:"code_url"`
	}
	if !readJSON(rw, r, maxControlBody, &body) {
		return
	}
	sheet, err := w.Scan(body.CodeURL)
	if err != nil {
		writeFailure(rw, err)
		return
	}
	writeJSON(rw, http.StatusOK, sheet)
}

// controlPayIn is POST /control/pay-in.
func (w *WeChat) controlPayIn(rw http.ResponseWriter, _ *http.Request) {
	w.PayIn()
	writeJSON(rw, http.StatusOK, map[string]bool{"ok": true})
}

// controlRefund is POST /control/refunds.
func (w *WeChat) controlRefund(rw http.ResponseWriter, r *http.Request) {
	var body struct {
		OutTradeNo string `json:"out_trade_no"`
		Fee        int64  `json:"refund_fee"` // fen
	}
	if !readJSON(rw, r, maxControlBody, &body) {
		return
	}
	refund, err := w.Refund(body.OutTradeNo, body.Fee)
	if err != nil {
		writeFailure(rw, err)
		return
	}
	writeJSON(rw, http.StatusOK, refund)
}

// controlBill is GET /control/bill.
func (w *WeChat) controlBill(rw http.ResponseWriter, r *http.Request) {
	text := r.URL.Query().Get("date")
	day, err := time.ParseInLocation(billDate, text, beijing)
	if err != nil || !dateForm.MatchString(text) {
		writeError(rw, http.StatusBadRequest, fmt.Sprintf("date: want a day, yyyyMMdd, got %q", text))
		return
	}
	writeJSON(rw, http.StatusOK, map[string]string{"bill": w.Bill(day)})
}
