package wechattest

import (
	"net/http"
	"regexp"
	"time"
)

// When bills can be downloaded (docs/wechat.md 12.1), in Beijing. From 9:00 of the next day WeChat
// makes them, at 10:00 they are ready, and after three months they are deleted.
const (
	billStart  = 9 * time.Hour
	billReady  = 10 * time.Hour
	billMonths = 3
)

// billDate is the layout of bill_date.
const billDate = "20060102"

// dateForm is its form: time.Parse alone accepts 2026031 as March 1st.
var dateForm = regexp.MustCompile(`^[0-9]{8}$`)

// downloadBill serves POST /pay/downloadbill.
func (w *WeChat) downloadBill(p *payRequest) {
	if _, ok := w.takeFault(FaultSystemError, pathDownloadBill); ok {
		p.note("fault system_error")
		p.billFail("SYSTEMERROR", "")
		return
	}
	if p.get("nonce_str") == "" || p.get("bill_date") == "" {
		p.note("downloadbill wants nonce_str and bill_date")
		p.billFail("missing parameter", "20001")
		return
	}
	kind := p.get("bill_type")
	if kind == "" {
		kind = billAll
	}
	if !contains([]string{billAll, billSuccess, billRefund, billRecharge}, kind) {
		p.billFail("invalid bill_type", "20001")
		return
	}
	if tar := p.get("tar_type"); tar != "" && tar != "GZIP" {
		p.note("tar_type must be GZIP or absent")
		p.billFail("data format error", "20001")
		return
	}
	day, err := time.ParseInLocation(billDate, p.get("bill_date"), beijing)
	if err != nil || !dateForm.MatchString(p.get("bill_date")) {
		p.note("bill_date must be a day, yyyyMMdd")
		p.billFail("data format error", "20001")
		return
	}
	if _, ok := w.takeFault(FaultBillCreating, ""); ok {
		p.note("fault bill_creating")
		p.billFail("Bill Creating", "")
		return
	}
	now := w.Now().In(beijing)
	next := day.AddDate(0, 0, 1)
	switch {
	case now.Before(next.Add(billStart)):
		p.note("bill_date must be yesterday or before, and yesterday's bill is made from 9:00 on; in Beijing it is %s", now.Format(dateTime))
		p.billFail("No Bill Exist", "20002")
		return
	case now.Before(next.Add(billReady)):
		p.note("the bill is made from 9:00 on and ready at 10:00; in Beijing it is %s", now.Format(dateTime))
		p.billFail("Bill Creating", "")
		return
	case now.After(day.AddDate(0, billMonths, 1)):
		p.note("bills are kept for three months")
		p.billFail("No Bill Exist", "20002")
		return
	}
	text := w.bill(kind, day, p)
	if text == "" {
		p.note("there is nothing in the bill of that day")
		p.billFail("No Bill Exist", "20002")
		return
	}
	p.reply(http.StatusOK, "text/plain", text)
	if p.get("tar_type") == "GZIP" {
		p.msg.Response = text // the log shows what is inside
		// The body is a gzip stream. WeChat does not document a Content-Encoding, so there is none.
		p.reply(http.StatusOK, "application/x-gzip", packed(text))
	}
}

// Bill returns the bill of the day in Beijing that contains t, as downloadbill returns it for the
// type ALL. It is "" for a day without trades. It is available at any time, and no fault changes
// it.
func (w *WeChat) Bill(t time.Time) string {
	y, m, d := t.In(beijing).Date()
	return w.bill(billAll, time.Date(y, m, d, 0, 0, 0, 0, beijing), nil)
}
