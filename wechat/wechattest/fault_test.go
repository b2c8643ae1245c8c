package wechattest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAddFaultNamesWhatIsWrong(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		f    Fault
		want string
	}{
		{Fault{Kind: "nonsense"}, "known: notify_lost"},
		{Fault{Kind: FaultSystemError, Path: "/nope"}, "known: /pay/unifiedorder"},
		{Fault{Kind: FaultCodeUsed, Path: pathAccessToken}, "has no path"},
		{Fault{Kind: FaultBadReplySign, Path: pathAccessToken}, "unknown path"},
		{Fault{Kind: FaultNotifyDelayed}, "delay_ms"},
		{Fault{Kind: FaultNotifyLost, DelayMS: 1}, "has no delay_ms"},
		{Fault{Kind: FaultNotifyLost, Count: -1}, "count"},
	} {
		if err := w.AddFault(tt.f); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v", tt.f, err)
		}
	}
	if err := w.AddFault(Fault{Kind: FaultSystemError, Count: 2}); err != nil {
		t.Fatal(err)
	}
	w.do("GET", w.link(scopeBase), "") // not a call that the fault can affect
	if f := w.Faults(); len(f) != 1 || f[0].Count != 2 {
		t.Errorf("%+v", f)
	}
	w.ClearFaults()
	if len(w.Faults()) != 0 {
		t.Error("not cleared")
	}
}

func TestCallFaults(t *testing.T) {
	w := newWorld(t)
	add := func(f Fault) {
		t.Helper()
		if err := w.AddFault(f); err != nil {
			t.Fatal(err)
		}
	}
	add(Fault{Kind: FaultSystemError, Path: pathUnifiedOrder})
	if got := w.pay(pathUnifiedOrder, w.order("fault01")); valueOf(got, "err_code") != "SYSTEMERROR" || len(w.Ledger().Orders) != 0 {
		t.Errorf("system_error: %v", got)
	}
	add(Fault{Kind: FaultSystemError, Path: PathOrder})
	if got := w.pay(pathOrderQuery, []pair{{"appid", w.cfg.AppID}, {"mch_id", w.cfg.MchID}, {"nonce_str", "n0nce"}, {"sign_type", signHMAC}, {"out_trade_no", "fault01"}}); valueOf(got, "err_code") != "ORDERNOTEXIST" {
		t.Errorf("system_error of orders affects a query: %v", got)
	}
	if got := w.pay(pathUnifiedOrder, w.order("fault01")); valueOf(got, "err_code") != "SYSTEMERROR" || len(w.Ledger().Orders) != 0 {
		t.Errorf("system_error of orders: %v", got)
	}
	for range 8 { // with and without a return_code
		add(Fault{Kind: FaultRetmsg, Path: pathUnifiedOrder})
		got, err := parseXML(w.do("POST", pathUnifiedOrder, signedXML(w.order("fault01"), w.cfg.APIKey)).Body.String())
		if err != nil {
			t.Fatal(err)
		}
		if code := valueOf(got, "return_code"); code != "" && code != "FAIL" || valueOf(got, "retcode") != "1" || valueOf(got, "return_msg")+valueOf(got, "sign") != "" ||
			!strings.Contains(valueOf(got, "retmsg"), "param mch_id invalid") || len(w.Ledger().Orders) != 0 {
			t.Errorf("retmsg: %v", got)
		}
	}
	add(Fault{Kind: FaultTextWithoutCode, Path: pathUnifiedOrder})
	if got := w.pay(pathUnifiedOrder, w.order("fault01")); valueOf(got, "result_code") != "FAIL" || valueOf(got, "err_code") != "" || valueOf(got, "err_code_des") == "" ||
		valueOf(got, "sign") == "" || len(w.Ledger().Orders) != 0 {
		t.Errorf("text_without_code: %v", got)
	}
	add(Fault{Kind: FaultSystemError, Path: pathAccessToken})
	code := w.code(scopeBase)
	if got := w.json(w.exchangePath(code)); got["errcode"] != -1.0 {
		t.Errorf("system_error: %v", got)
	}
	if got := w.json(w.exchangePath(code)); got["openid"] == nil {
		t.Errorf("the code was used up: %v", got)
	}
	add(Fault{Kind: FaultCodeUsed})
	if got := w.json(w.exchangePath(w.code(scopeBase))); got["errcode"] != 40163.0 {
		t.Errorf("code_used: %v", got)
	}
	add(Fault{Kind: FaultCodeExpired})
	if got := w.json(w.exchangePath(w.code(scopeBase))); got["errcode"] != 42003.0 {
		t.Errorf("code_expired: %v", got)
	}
	add(Fault{Kind: FaultBadGateway, Path: pathOrderQuery})
	if rec := w.do("POST", pathOrderQuery, "x"); rec.Code != 502 || !strings.Contains(rec.Body.String(), "<html>") {
		t.Errorf("bad_gateway: %d", rec.Code)
	}
	body := signedXML(w.order("fault02"), w.cfg.APIKey)
	add(Fault{Kind: FaultBadReplySign})
	got, err := parseXML(w.do("POST", pathUnifiedOrder, body).Body.String())
	if err != nil || checkSign(got, signHMAC, w.cfg.APIKey, valueOf(got, "sign")).OK || len(w.Ledger().Orders) != 1 {
		t.Errorf("bad_reply_sign: %v %v", got, err)
	}
	add(Fault{Kind: FaultNoReplySign})
	if got, err := parseXML(w.do("POST", pathUnifiedOrder, body).Body.String()); err != nil || valueOf(got, "sign") != "" {
		t.Errorf("no_reply_sign: %v %v", got, err)
	}
	add(Fault{Kind: FaultSheetFail})
	if s, err := w.PaySheet(w.sheet("fault03").ID); err != nil || s.State != SheetFailed || s.ErrMsg != payFail || len(w.Ledger().Trades) != 0 {
		t.Errorf("sheet_fail: %+v %v", s, err)
	}
	add(Fault{Kind: FaultPaidAsCancel})
	if s, err := w.PaySheet(w.sheet("fault04").ID); err != nil || s.ErrMsg != payCancel || len(w.Ledger().Trades) != 1 {
		t.Errorf("paid_as_cancel: %+v %v", s, err)
	}
	query := []pair{{"appid", w.cfg.AppID}, {"mch_id", w.cfg.MchID}, {"nonce_str", "n"}, {"out_trade_no", "fault04"}}
	add(Fault{Kind: FaultQueryLate, DelayMS: 60000})
	for _, want := range []string{StateNotPay, StateSuccess} {
		if got := w.pay(pathOrderQuery, query); valueOf(got, "trade_state") != want {
			t.Errorf("query_late: %v", got)
		}
	}
	add(Fault{Kind: FaultForgedReply}) // not of an order that is paid
	if got := w.pay(pathOrderQuery, query); valueOf(got, "trade_state") != StateSuccess || !checkSign(got, signMD5, w.cfg.APIKey, valueOf(got, "sign")).OK {
		t.Errorf("forged_reply: %v", got)
	}
	w.prepay("fault05")
	query[3].value = "fault05"
	got, err = parseXML(w.do("POST", pathOrderQuery, signedXML(query, w.cfg.APIKey)).Body.String())
	if err != nil || valueOf(got, "trade_state") != StateSuccess || checkSign(got, signMD5, w.cfg.APIKey, valueOf(got, "sign")).OK || len(w.Ledger().Trades) != 1 {
		t.Errorf("forged_reply: %v %v", got, err)
	}
}

func TestTimeoutsWorkBeforeOrAfter(t *testing.T) {
	w := newWorld(t)
	srv := httptest.NewServer(w.h)
	defer srv.Close()
	post := func(no string) {
		t.Helper()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		events, stop := w.Subscribe()
		defer stop()
		go func() {
			for e := range events {
				if e.Kind == EventMessage && e.Message.Kind == "unifiedorder" {
					cancel() // the simulator noted the call and hangs
					return
				}
			}
		}()
		req, err := http.NewRequestWithContext(ctx, "POST", srv.URL+pathUnifiedOrder, strings.NewReader(signedXML(w.order(no), w.cfg.APIKey)))
		if err != nil {
			t.Fatal(err)
		}
		if res, err := srv.Client().Do(req); err == nil {
			res.Body.Close()
			t.Error("there was an answer")
		}
		if m := w.last(); m.Status != 0 || m.Response != "" {
			t.Errorf("%+v", m)
		}
	}
	for _, kind := range []string{FaultTimeoutBefore, FaultTimeoutAfter} {
		if err := w.AddFault(Fault{Kind: kind, Path: pathUnifiedOrder}); err != nil {
			t.Fatal(err)
		}
	}
	// Both faults wait. The first call takes before, the next one after.
	post("timeout1")
	if n := len(w.Ledger().Orders); n != 0 {
		t.Errorf("timeout_before made %d orders", n)
	}
	post("timeout1")
	if n := len(w.Ledger().Orders); n != 1 {
		t.Errorf("timeout_after made %d orders", n)
	}
	if got := w.pay(pathUnifiedOrder, w.order("timeout1")); valueOf(got, "prepay_id") == "" {
		t.Errorf("the retry: %v", got)
	}
}

func TestCloseReleasesACallThatHangs(t *testing.T) {
	w := newWorld(t)
	srv := httptest.NewServer(w.h)
	defer srv.Close()
	if err := w.AddFault(Fault{Kind: FaultTimeoutBefore}); err != nil {
		t.Fatal(err)
	}
	events, stop := w.Subscribe()
	defer stop()
	go func() {
		for e := range events {
			if e.Kind == EventMessage { // the call is noted and hangs
				w.Close()
			}
		}
	}()
	if res, err := srv.Client().Get(srv.URL + w.exchangePath("x")); err == nil {
		res.Body.Close()
		t.Error("there was an answer")
	}
}
