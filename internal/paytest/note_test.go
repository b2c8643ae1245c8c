package paytest_test

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/paytest"
	"h5pay/internal/store"
	"h5pay/wechat/wechattest"
)

// A payment is settled although the row of its notification cannot be stored, on D1 and natively. The
// row is stored once when it can be.
func TestNotificationRowDelaysNoPayment(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) (*paytest.Shop, *sql.DB){
		"native": func(t *testing.T) (*paytest.Shop, *sql.DB) {
			s := paytest.NewShopAPIv2(t, wechattest.Config{})
			return s, s.DB
		},
		"D1": func(t *testing.T) (*paytest.Shop, *sql.DB) {
			d1 := paytest.StartD1(t, "../..")
			s := paytest.NewShopAPIv2(t, wechattest.Config{})
			s.OpenOnD1(d1, nil)
			return s, d1.DB
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, db := open(t)
			exec := func(query string) {
				t.Helper()
				if _, err := db.Exec(query); err != nil {
					t.Fatal(err)
				}
			}
			list := func() (all []order.Notification) {
				t.Helper()
				all, err := store.New(db).Notifications(t.Context(), "", "", 10)
				if err != nil {
					t.Fatal(err)
				}
				return all
			}
			p := s.SignedIn(0)
			buy := func() {
				t.Helper()
				c := p.Order("tea", 1)
				p.Pay(c.Pay)
				s.Sim.Advance(time.Second)
				if n := s.Calls("orderquery"); n == 0 {
					t.Error("WeChat was not queried")
				}
				if o := p.GetOrder(c.Order.ID); o.Status != api.StatusPaid {
					t.Errorf("the order is %s\n%s", o.Status, s.Log)
				}
			}
			exec(`CREATE TRIGGER no_notification BEFORE INSERT ON notifications BEGIN SELECT RAISE(ABORT, 'no row of a notification'); END`)
			buy()
			if all := list(); len(all) != 0 || !strings.Contains(s.Log.String(), "storing a notification for the operator failed") {
				t.Errorf("%d rows\n%s", len(all), s.Log)
			}
			exec(`DROP TRIGGER no_notification`)
			buy()
			if all := list(); len(all) != 1 || all[0].Verdict != "accepted" || !all[0].Verified || all[0].OutTradeNo == "" || all[0].Reason != "OK" {
				t.Errorf("the rows are %+v", all)
			}
		})
	}
}

// D1 stores the row of a notification only if the stored payment is paid as the notification says.
func TestNotificationRowNeedsItsPayment(t *testing.T) {
	t.Parallel()
	d1 := paytest.StartD1(t, "../..")
	s := paytest.NewShopAPIv2(t, wechattest.Config{})
	s.OpenOnD1(d1, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	db := store.New(d1.DB)
	w, err := db.WholeByID(t.Context(), c.Order.ID)
	if err != nil {
		t.Fatal(err)
	}
	paid := order.Paid{TransactionID: "4200000001", PaidAt: s.Now(), Source: "notify"}
	of := order.Notified{APIVersion: w.Payment.APIVersion, OutTradeNo: w.Payment.OutTradeNo, AppID: w.AppID, MchID: w.MchID, Total: w.Total, Currency: w.Currency}
	note := func(change func(*order.Note)) *order.Note {
		n := &order.Note{Notified: of, TransactionID: paid.TransactionID, Notification: order.Notification{At: s.Now(), Kind: "payment", Version: "v2", Verified: true, OutTradeNo: of.OutTradeNo}}
		change(n)
		return n
	}
	same := func(*order.Note) {}
	claim := func(n *order.Note) {
		t.Helper()
		if _, _, err := db.ClaimNotified(t.Context(), of, n, time.Second, s.Now()); err != nil {
			t.Fatal(err)
		}
	}
	// An unpaid payment has no row.
	unpaid := note(same)
	if claim(unpaid); unpaid.Stored {
		t.Error("the row of an unpaid payment is stored")
	}
	// A payment by another transaction has none either, and is paid.
	paid.Note = note(func(n *order.Note) { n.TransactionID = "4200000002" })
	if ok, err := db.Pay(t.Context(), of.OutTradeNo, paid, s.Now()); !ok || err != nil || paid.Note.Stored {
		t.Fatal(ok, err, paid.Note.Stored)
	}
	for name, change := range map[string]func(*order.Note){
		"transaction": func(n *order.Note) { n.TransactionID = "4200000002" },
		"version":     func(n *order.Note) { n.APIVersion = "v3" },
		"payment":     func(n *order.Note) { n.Notified.OutTradeNo = "another" },
		"appid":       func(n *order.Note) { n.AppID = "another" },
		"merchant":    func(n *order.Note) { n.MchID = "another" },
		"amount":      func(n *order.Note) { n.Total++ },
		"currency":    func(n *order.Note) { n.Currency = "USD" },
	} {
		n := note(change)
		if claim(n); n.Stored {
			t.Errorf("the row of a notification with another %s is stored", name)
		}
	}
	n := note(same)
	if claim(n); !n.Stored {
		t.Error("the row of the notification is not stored")
	}
	if all, err := db.Notifications(t.Context(), "", "", 10); err != nil || len(all) != 1 {
		t.Errorf("%d rows are stored, %v", len(all), err)
	}
}
