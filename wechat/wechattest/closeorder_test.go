package wechattest

import (
	"strings"
	"testing"
)

// closing is a good closeorder request without its sign.
func (w *world) closing(no string) []pair {
	return []pair{{"appid", w.cfg.AppID}, {"mch_id", w.cfg.MchID}, {"nonce_str", "n"}, {"out_trade_no", no}}
}

// Not within 5 minutes of creation. A paid, closed or unknown order has a code of its own
// (docs/wechat.md 8.1, 8.2).
func TestCloseOrder(t *testing.T) {
	w := newWorld(t)
	w.prepay("close01")
	w.paid("close02")
	for _, tt := range []struct{ no, want string }{
		{"", "LACK_PARAMS"}, {"nobody1", "ORDERNOTEXIST"}, {"close01", "TRADE_STATE_ERROR"}, {"close02", "ORDERPAID"},
	} {
		if got := declineOf(w.pay(pathCloseOrder, with(w.closing(tt.no), "out_trade_no", tt.no))); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%q: %s, want %s", tt.no, got, tt.want)
		}
	}
	w.Advance(closeWait)
	for _, want := range []string{" ", "ORDERCLOSED 订单已关闭"} {
		if got := declineOf(w.pay(pathCloseOrder, w.closing("close01"))); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := declineOf(w.pay(pathUnifiedOrder, w.order("close01"))); !strings.HasPrefix(got, "ORDERCLOSED") {
		t.Errorf("the number is used up: %s", got)
	}
}

func TestAnOpenSheetOfAClosedOrderCannotBePaid(t *testing.T) {
	w := newWorld(t)
	id := w.prepay("shut001")
	args := w.payArgs(id)
	open, bad := w.Invoke(w.call(args))
	if bad != nil {
		t.Fatal(bad)
	}
	w.Advance(closeWait)
	w.pay(pathCloseOrder, w.closing("shut001"))
	if s, err := w.PaySheet(open.ID); err != nil || s.State != SheetFailed || s.ErrDesc != "该订单已关闭" {
		t.Errorf("%+v, %v", s, err)
	}
	if _, bad := w.Invoke(w.call(args)); bad == nil || bad.ErrDesc != "该订单已关闭" {
		t.Errorf("%+v", bad)
	}
	if l := w.Ledger(); len(l.Trades) != 0 || l.Orders[0].State != StateClosed {
		t.Errorf("%+v", l)
	}
}
