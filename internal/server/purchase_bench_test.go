package server

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/outbox"
	"h5pay/internal/store"
	"h5pay/internal/store/sqlite"
	"h5pay/wechat"
)

// receives is a merchant's back end that accepts every event at once.
type receives struct{}

func (receives) Do(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}, nil
}

// BenchmarkPurchase measures whole purchases: the 14 requests from the start of the page to the paid
// order, and the webhook. 32 buyers buy at the same time from one native server on a file of SQLite.
// Without FULL, a machine that loses its power may lose its last orders and payments; see
// docs/deploy.md. WeChat and the back end respond at once.
//
//	go test -run '^$' -bench Purchase -benchtime 3000x ./internal/server
func BenchmarkPurchase(b *testing.B) {
	for _, synchronous := range []string{"FULL", "NORMAL"} {
		b.Run("synchronous "+synchronous, func(b *testing.B) {
			db := sql.OpenDB(sqlite.NewConnector(store.SQLiteURI(filepath.Join(b.TempDir(), "shop.db"), "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous("+synchronous+")")))
			defer db.Close()
			db.SetMaxIdleConns(100)
			if err := store.Migrate(b.Context(), db); err != nil {
				b.Fatal(err)
			}
			if _, err := db.Exec(`INSERT INTO products (id, name, price) VALUES ('tea', '高山乌龙茶', 6800)`); err != nil {
				b.Fatal(err)
			}
			l := benchOn(b, wechat.V2, db, &outbox.Webhook{URL: "https://shop.example.com/hook", Secrets: []wechat.Secret{"whsec_YSB3ZWJob29rIHNlY3JldCBvZiAzMiBjaGFyYWN0ZXJz"}, Doer: receives{}})
			h := l.Handler()
			ctx, stop := context.WithCancel(b.Context())
			delivered := make(chan struct{})
			go func() {
				defer close(delivered)
				for ctx.Err() == nil {
					if err := l.outbox.Deliver(ctx); err != nil && ctx.Err() == nil {
						b.Error(err)
					}
					time.Sleep(20 * time.Millisecond)
				}
			}()
			b.SetParallelism(16)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := l.buy(b, h); err != nil {
						b.Error(err)
						return
					}
				}
			})
			took := b.Elapsed()
			var waiting int
			if err := db.QueryRow(`SELECT COUNT(*) FROM deliveries WHERE status = 'pending'`).Scan(&waiting); err != nil {
				b.Fatal(err)
			}
			stop()
			<-delivered
			b.ReportMetric(float64(b.N)/took.Seconds(), "orders/s")
			b.ReportMetric(float64(waiting), "waiting-events")
		})
	}
}

// buy makes one purchase.
func (l *benchShop) buy(b *testing.B, h http.Handler) error {
	jar := map[string]string{}
	call := func(method, path, body string, result any) error {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Origin", "https://shop.example.com")
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		for name, value := range jar {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		for _, c := range w.Result().Cookies() {
			jar[c.Name] = c.Value
		}
		if w.Code != http.StatusOK {
			return fmt.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
		return json.Unmarshal(w.Body.Bytes(), result)
	}
	var to api.AuthorizeResponse
	var o api.Order
	var paid api.Order
	var c api.Checkout
	var any json.RawMessage
	steps := []func() error{
		func() error { return call("GET", api.PathStartPage, "", &any) },
		func() error { return call("GET", api.PathConfig, "", &any) },
		func() error { return call("POST", api.PathAuthorize, `{"return_to":"/"}`, &to) },
		func() error { return call("GET", api.PathStartPage, "", &any) },
		func() error {
			u, err := url.Parse(to.URL)
			if err != nil {
				return err
			}
			return call("POST", api.PathToken, fmt.Sprintf(`{"code":"%s","state":%q}`, rand.Text(), u.Query().Get("state")), &any)
		},
		func() error { return call("GET", api.PathSession, "", &any) },
		func() error {
			return call("POST", api.PathOrders, fmt.Sprintf(`{"items":[{"product_id":"tea","quantity":2}],"client_key":%q}`, rand.Text()), &o)
		},
		func() error { return call("GET", api.OrderPath(o.ID), "", &any) },
		func() error { return call("POST", api.OrderPayPath(o.ID), `{"trade_types":["JSAPI"]}`, &c) },
		func() error { return call("GET", api.OrderPath(o.ID), "", &any) },
		func() error {
			stored, err := l.store.ByID(b.Context(), o.ID)
			if err == nil {
				notify(b, h, l.notification(b, stored.Payment))
			}
			return err
		},
		func() error { return call("GET", api.OrderPath(o.ID), "", &any) },
		func() error { return call("GET", api.OrderPath(o.ID), "", &paid) },
		func() error { return call("GET", api.PathOrders, "", &any) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	if paid.Status != api.StatusPaid {
		return fmt.Errorf("the order is %s", paid.Status)
	}
	return nil
}
