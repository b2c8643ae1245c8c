package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
)

// PlaceRefund stores a refund exactly if all conditions hold, and returns the order and the refund of
// the key in any case.
func TestPlaceRefund(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := paid(t, s, "alice")
	other := paid(t, s, "bob")
	open := insert(t, s, "carol", "key-1")
	conditions := store.RefundConditions{V2: true, PaidAfter: now.AddDate(-1, 0, 1)}
	for name, tt := range map[string]struct {
		change  func(*order.Refund, *store.RefundConditions)
		missing bool // the order
	}{
		"too much":            {change: func(r *order.Refund, _ *store.RefundConditions) { r.Amount = o.Total + 1 }},
		"unknown order":       {func(r *order.Refund, _ *store.RefundConditions) { r.OrderID = "nothing" }, true},
		"order without money": {change: func(r *order.Refund, _ *store.RefundConditions) { r.OrderID = open.ID }},
		"payment of another":  {change: func(r *order.Refund, _ *store.RefundConditions) { r.OutTradeNo = other.Payment.OutTradeNo }},
		"unpaid payment": {change: func(r *order.Refund, _ *store.RefundConditions) {
			r.OrderID, r.OutTradeNo = open.ID, open.Payment.OutTradeNo
		}},
		"unknown payment":   {change: func(r *order.Refund, _ *store.RefundConditions) { r.OutTradeNo = "nothing" }},
		"no key of APIv2":   {change: func(_ *order.Refund, c *store.RefundConditions) { c.V2, c.V3 = false, true }},
		"old payment":       {change: func(_ *order.Refund, c *store.RefundConditions) { c.PaidAfter = now }},
		"bound":             {change: func(r *order.Refund, c *store.RefundConditions) { r.Amount, c.Bound = 100, 100 }},
		"bound of the rest": {change: func(r *order.Refund, c *store.RefundConditions) { r.Amount, c.Bound = 0, o.Total }},
	} {
		t.Run(name, func(t *testing.T) {
			before := storetest.Dump(t, db)
			r, c := refundDraft(o, "R-"+name, 100), conditions
			tt.change(&r, &c)
			p, err := s.PlaceRefund(ctx, r, c, nil)
			if err != nil || p.Stored || p.Refund.ID != "" || (p.Order.ID == "") != tt.missing {
				t.Errorf("%+v, %v", p, err)
			}
			if d := cmp.Diff(before, storetest.Dump(t, db)); d != "" {
				t.Errorf("the database changed (-before +after):\n%s", d)
			}
		})
	}

	// The payment that pays the order, or a named one, and the amount or the rest.
	left := o.Total
	for i, r := range []struct {
		outTradeNo            string
		amount, bound, stored fen.Fen
	}{
		{"", 100, 0, 100}, {o.Payment.OutTradeNo, 200, 301, 200}, {"", 0, 0, o.Total - 300},
	} {
		draft, c := refundDraft(o, fmt.Sprint("R", i), r.amount), conditions
		draft.OutTradeNo, c.Bound = r.outTradeNo, r.bound
		p, err := s.PlaceRefund(ctx, draft, c, nil)
		if err != nil || !p.Stored {
			t.Fatalf("refund %d: %+v, %v", i, p, err)
		}
		left -= r.stored
		if p.OutTradeNo != o.Payment.OutTradeNo || p.Amount != r.stored || p.Total != o.Total {
			t.Errorf("refund %d was stored with %+v", i, p)
		}
		if p.Refund.ID != draft.ID || p.Refund.Amount != r.stored || p.Refund.Status != api.RefundCreated || p.Refund.OutTradeNo != o.Payment.OutTradeNo || !p.Refund.QueriedAt.Equal(now) {
			t.Errorf("refund %d is %+v", i, p.Refund)
		}
		if p.Order.ID != o.ID || p.Order.Status != api.StatusRefunding {
			t.Errorf("the order is %+v", p.Order)
		}
		if claimed, err := s.ClaimRefund(ctx, p.Refund, time.Minute, now.Add(59*time.Second)); claimed || err != nil {
			t.Errorf("the refund is not claimed: %v, %v", claimed, err)
		}
		// The same key returns the same refund.
		draft.ID, draft.Amount = "another", 1
		if again, err := s.PlaceRefund(ctx, draft, conditions, nil); err != nil || again.Stored || again.Refund.ID != p.Refund.ID {
			t.Errorf("the same key: %+v, %v", again, err)
		}
		storetest.Check(t, db)
	}
	if left != 0 {
		t.Fatalf("%d fen are left", left)
	}
	for _, amount := range []fen.Fen{0, 1} {
		if p, err := s.PlaceRefund(ctx, refundDraft(o, "nothing is left", amount), conditions, nil); err != nil || p.Stored {
			t.Errorf("a refund of nothing: %+v, %v", p, err)
		}
	}
}

// A payment has at most MaxRefunds refunds that did not fail.
func TestPlaceRefundHasABound(t *testing.T) {
	t.Parallel()
	s := store.New(storetest.Open(t))
	o := paid(t, s, "alice")
	for i := range order.MaxRefunds {
		if p, err := s.PlaceRefund(ctx, refundDraft(o, fmt.Sprint("R", i), 1), store.RefundConditions{V2: true}, nil); err != nil || !p.Stored {
			t.Fatal(p, err)
		}
	}
	if p, err := s.PlaceRefund(ctx, refundDraft(o, "one more", 1), store.RefundConditions{V2: true}, nil); err != nil || p.Stored {
		t.Errorf("one more than MaxRefunds: %+v, %v", p, err)
	}
}

// The intent of a call is stored with the refund, and the entry that follows needs no other look at
// the list.
func TestPlaceRefundStoresItsIntent(t *testing.T) {
	t.Parallel()
	s := store.New(storetest.Open(t))
	o := paid(t, s, "alice")
	call := func(id string) *order.AuditIntent {
		t.Helper()
		i := &order.AuditIntent{Intent: "intent-of-" + id, Entry: order.AuditEntry{ID: id, At: now, KeyID: "root", Action: "createRefund", Object: o.ID}}
		if p, err := s.PlaceRefund(ctx, refundDraft(o, "R-"+id, 1), store.RefundConditions{V2: true}, i); err != nil || !p.Stored {
			t.Fatal(p, err)
		}
		return i
	}
	first, second := call("first"), call("second")
	for n, i := range []*order.AuditIntent{first, second} { // the end of the second has moved by then
		if !i.Began || i.End == nil || *i.End != (order.AuditEnd{}) {
			t.Fatalf("%+v", i)
		}
		if e, err := s.Audit(ctx, i.Intent, i.Entry, i.End); err != nil || e.Seq != int64(n+1) {
			t.Errorf("entry %d: %+v, %v", n+1, e, err)
		}
	}
	entries, err := s.AuditFrom(ctx, 1, 10)
	if err != nil || len(entries) != 2 || entries[0].Hash != entries[0].Sum("") || entries[1].Hash != entries[1].Sum(entries[0].Hash) {
		t.Errorf("the list is %+v, %v", entries, err)
	}
	// A repeated call is another entry, in case that it changes something.
	again := &order.AuditIntent{Intent: "again", Entry: first.Entry}
	if p, err := s.PlaceRefund(ctx, refundDraft(o, "R-first", 1), store.RefundConditions{V2: true}, again); err != nil || p.Stored || !again.Began || !again.Repeated || again.Entry.ID != "again" || again.End == nil || again.End.Seq != 2 {
		t.Errorf("a repeated call: %+v, %+v, %v", p, again, err)
	}
	if err := s.DropAudit(ctx, "again"); err != nil {
		t.Fatal(err)
	}
	if err := s.RecoverAudit(ctx, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if entries, err := s.AuditFrom(ctx, 1, 10); err != nil || len(entries) != 2 {
		t.Errorf("an intent was left: %+v, %v", entries, err)
	}
}

// A notification of a refund claims a query unless the refund is stored as it says, or has ended.
func TestClaimNotifiedRefund(t *testing.T) {
	t.Parallel()
	s := store.New(storetest.Open(t))
	o := paid(t, s, "alice")
	at := now
	claim := func(id string, status api.RefundStatus, refundID string, want bool) {
		t.Helper()
		at = at.Add(time.Minute)
		r, claimed, err := s.ClaimNotifiedRefund(ctx, id, status, refundID, time.Second, at)
		if err != nil || claimed != want || r.ID != id || claimed && !r.QueriedAt.Equal(at) {
			t.Errorf("claimed is %v, want %v, of %+v, %v", claimed, want, r, err)
		}
	}
	if _, _, err := s.ClaimNotifiedRefund(ctx, "R1", api.RefundSucceeded, "50-1", time.Second, at); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown refund: %v", err)
	}
	addRefund(t, s, refundDraft(o, "R1", 100))
	claim("R1", api.RefundSucceeded, "50-1", true)
	if _, claimed, err := s.ClaimNotifiedRefund(ctx, "R1", api.RefundSucceeded, "50-1", time.Second, at.Add(999*time.Millisecond)); claimed || err != nil {
		t.Errorf("within the window: %v, %v", claimed, err)
	}
	if ok, err := moved(s.MoveRefund(ctx, "R1", api.RefundProcessing, "50-1", time.Time{}, at)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	claim("R1", api.RefundProcessing, "50-1", false)
	claim("R1", api.RefundProcessing, "50-2", true)
	claim("R1", api.RefundSucceeded, "50-1", true)
	if ok, err := moved(s.MoveRefund(ctx, "R1", api.RefundSucceeded, "50-1", time.Time{}, at)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	claim("R1", api.RefundSucceeded, "50-1", false)
	claim("R1", api.RefundClosed, "50-1", false)
}

// The acceptance of a refund and the entry of its call are stored together. The entry describes the
// refund as it is stored, or is left to Audit.
func TestAcceptRefundAppendsTheEntry(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before   func(t *testing.T, s *store.Store, r order.Refund, i *order.AuditIntent)
		appended bool
	}{
		"accepted": {appended: true},
		"reported before": {appended: true, before: func(t *testing.T, s *store.Store, r order.Refund, _ *order.AuditIntent) {
			if ok, err := moved(s.MoveRefund(ctx, r.ID, api.RefundProcessing, "50-1", time.Time{}, now)); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}},
		"ended before": {before: func(t *testing.T, s *store.Store, r order.Refund, _ *order.AuditIntent) {
			if ok, err := moved(s.MoveRefund(ctx, r.ID, api.RefundSucceeded, "50-1", time.Time{}, now)); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}},
		"another number": {before: func(t *testing.T, s *store.Store, r order.Refund, _ *order.AuditIntent) {
			if ok, err := moved(s.MoveRefund(ctx, r.ID, api.RefundProcessing, "50-2", time.Time{}, now)); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}},
		"another source of money": {before: func(t *testing.T, s *store.Store, r order.Refund, _ *order.AuditIntent) {
			if ok, err := s.UseBalance(ctx, r.ID, now); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}},
		"another call appended": {before: func(t *testing.T, s *store.Store, _ order.Refund, _ *order.AuditIntent) {
			if _, err := s.Audit(ctx, "other", order.AuditEntry{ID: "other", At: now}, nil); err != nil {
				t.Fatal(err)
			}
		}},
		"the call is no new one": {before: func(_ *testing.T, _ *store.Store, _ order.Refund, i *order.AuditIntent) { i.Began = false }},
		"no text":                {before: func(_ *testing.T, _ *store.Store, _ order.Refund, i *order.AuditIntent) { i.AfterRefund = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := store.New(storetest.Open(t))
			o := paid(t, s, "alice")
			i := &order.AuditIntent{Intent: "intent", Entry: order.AuditEntry{ID: "call", At: now, KeyID: "root", Action: "createRefund", Object: o.ID},
				AfterRefund: func(r order.Refund) string {
					return fmt.Sprint(r.ID, r.Status, r.RefundID, r.Amount, r.FromBalance, r.Failure, r.EndedAt.IsZero())
				}}
			p, err := s.PlaceRefund(ctx, refundDraft(o, "R1", 1), store.RefundConditions{V2: true}, i)
			if err != nil || !p.Stored {
				t.Fatal(p, err)
			}
			if test.before != nil {
				test.before(t, s, p.Refund, i)
			}
			before, err := s.AuditFrom(ctx, 1, 10)
			if err != nil {
				t.Fatal(err)
			}
			r, _, err := s.AcceptRefund(ctx, p.Refund, "50-1", now.Add(time.Second), i)
			if err != nil {
				t.Fatal(err)
			}
			entries, err := s.AuditFrom(ctx, 1, 10)
			if err != nil || len(entries)-len(before) == 1 != test.appended || (i.Appended != nil) != test.appended {
				t.Fatalf("%d entries, %+v, %v", len(entries), i, err)
			}
			if test.appended {
				e := entries[0]
				want := *i.Appended
				want.At = e.At
				if e != want || e.Hash != e.Sum("") || e.After != fmt.Sprint(r.ID, r.Status, r.RefundID, r.Amount, r.FromBalance, r.Failure, r.EndedAt.IsZero()) {
					t.Errorf("the entry is %+v, the refund %+v", e, r)
				}
				if _, _, err := s.AcceptRefund(ctx, p.Refund, "50-1", now.Add(time.Second), i); err != nil {
					t.Error(err)
				}
			}
			if err := s.RecoverAudit(ctx, now.Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			// The intent is left if and only if the entry is.
			if entries, err := s.AuditFrom(ctx, 1, 10); err != nil || entries[len(entries)-1].Unknown == test.appended {
				t.Errorf("the list is %+v, %v", entries, err)
			}
		})
	}
}
