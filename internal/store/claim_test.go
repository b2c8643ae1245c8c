package store_test

import (
	"context"
	"testing"
	"time"

	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
)

// One of several concurrent requests calls WeChat for a code_url. Only the result of the valid
// claim is stored.
func TestClaimPrepay(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := insert(t, s, "guest:1", "key-1")
	at := func(seconds int) time.Time { return now.Add(time.Duration(seconds) * time.Second) }
	claim := func(prepayID string, until, now time.Time) bool {
		t.Helper()
		ok, err := s.ClaimPrepay(ctx, o.Payment.OutTradeNo, prepayID, until, now)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	set := func(prepayID string, claim time.Time) bool {
		t.Helper()
		ok, err := s.SetPrepay(ctx, o.Payment.OutTradeNo, order.Prepay{ID: prepayID, URL: "weixin://" + prepayID, Claim: claim}, now)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	if claim("wx-1", at(10), at(0)) || !claim("", at(10), at(0)) || claim("", at(11), at(1)) {
		t.Error("not one claim for the payment")
	}
	if o, err := s.Whole(ctx, o.ID, "guest:1"); err != nil || !o.Payment.ClaimedUntil.Equal(at(10)) {
		t.Errorf("claimed until %v, %v", o.Payment.ClaimedUntil, err)
	}
	// The claim's holder died. The next request may claim, and the first one's result is too late.
	if claim("", at(20), at(9)) || !claim("", at(20), at(10)) {
		t.Error("a claim ends before its time, or not at all")
	}
	if set("wx-1", at(10)) || set("wx-1", time.Time{}) || !set("wx-2", at(20)) {
		t.Error("the stored result is not that of the valid claim")
	}
	if claim("", at(40), at(30)) || !claim("wx-2", at(40), at(30)) {
		t.Error("a claim for a payment that has changed")
	}
	if err := s.ReleasePrepay(ctx, o.Payment.OutTradeNo, at(20)); err != nil || claim("wx-2", at(41), at(31)) {
		t.Errorf("a foreign claim was released: %v", err)
	}
	if err := s.ReleasePrepay(ctx, o.Payment.OutTradeNo, at(40)); err != nil || !claim("wx-2", at(41), at(31)) {
		t.Errorf("a claim was not released: %v", err)
	}
	if _, err := began(beginClose(s, o.ID, now)); err != nil || set("wx-3", at(41)) || claim("wx-2", at(60), at(50)) {
		t.Errorf("a cancelled order can be paid again: %v", err)
	}
	storetest.Check(t, db)
}

func TestClaimQueryOncePerWindow(t *testing.T) {
	t.Parallel()
	const window = 3 * time.Second
	for name, method := range map[string]func(*store.Store, context.Context, string, time.Duration, time.Time) (bool, error){
		"timer": (*store.Store).ClaimQuery, "poll": (*store.Store).ClaimPoll, "notified": (*store.Store).ClaimDueNotified,
	} {
		t.Run(name, func(t *testing.T) {
			s := store.New(storetest.Open(t))
			p := insert(t, s, "alice", "key-1").Payment
			notified := order.Notified{APIVersion: p.APIVersion, OutTradeNo: p.OutTradeNo, AppID: p.AppID, MchID: p.MchID, Total: p.Total, Currency: p.Currency}
			if _, ok, err := s.ClaimNotified(ctx, notified, nil, window, now.Add(-window)); !ok || err != nil {
				t.Fatal(ok, err)
			}
			claim := func(at time.Time) bool {
				t.Helper()
				ok, err := method(s, ctx, p.OutTradeNo, window, at)
				if err != nil {
					t.Fatal(err)
				}
				return ok
			}
			for _, step := range []struct {
				after time.Duration
				want  bool
			}{{0, true}, {0, false}, {window - time.Millisecond, false}, {window, true}, {window + time.Second, false}, {2 * window, true}} {
				if got := claim(now.Add(step.after)); got != step.want {
					t.Errorf("after %s: %t, want %t", step.after, got, step.want)
				}
			}
			if _, err := s.Pay(ctx, p.OutTradeNo, order.Paid{TransactionID: "4200000001", PaidAt: now}, now); err != nil {
				t.Fatal(err)
			}
			if claim(now.Add(time.Hour)) {
				t.Error("a paid order is queried")
			}
		})
	}
}

// StopOffering changes a payment only if its PrepayAt is as it was read, and no request has a
// claim. After it no prepay_id is stored.
func TestStopOffering(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := insert(t, s, "guest:1", "key-1")
	no := o.Payment.OutTradeNo
	later := now.Add(time.Minute)
	check := func(what string, want, got bool, err error) {
		t.Helper()
		if err != nil || got != want {
			t.Errorf("%s: %t, %v", what, got, err)
		}
	}
	claimed, err := s.ClaimPrepay(ctx, no, "", later, now)
	check("a claim", true, claimed, err)
	stopped, err := s.StopOffering(ctx, no, time.Time{}, now)
	check("while a request has the claim", false, stopped, err)
	set, err := s.SetPrepay(ctx, no, order.Prepay{ID: "wx-1", URL: "weixin://wx-1", Claim: later}, later)
	check("the response", true, set, err)
	stopped, err = s.StopOffering(ctx, no, time.Time{}, later)
	check("as it was before the response", false, stopped, err)
	stopped, err = s.StopOffering(ctx, no, later, later)
	check("as it is", true, stopped, err)
	stopped, err = s.StopOffering(ctx, no, later, later)
	check("once more", false, stopped, err)
	claimed, err = s.ClaimPrepay(ctx, no, "wx-1", later.Add(time.Minute), later)
	check("a claim of what is offered no longer", false, claimed, err)
	set, err = s.SetPrepay(ctx, no, order.Prepay{ID: "wx-2", URL: "weixin://wx-2"}, later)
	check("a response for what is offered no longer", false, set, err)
	if due, err := s.Due(ctx, o.MchID, later, 10); err != nil || len(due) != 1 {
		t.Errorf("the timer queries %d payments: %v", len(due), err)
	}
	paid, err := s.Pay(ctx, no, order.Paid{TransactionID: "4200000001", PaidAt: later}, later)
	check("a payment in between", true, paid, err)
	storetest.Check(t, db)
}
