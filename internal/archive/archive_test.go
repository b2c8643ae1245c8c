package archive_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"h5pay/internal/archive"
	"h5pay/internal/cleanup"
	"h5pay/internal/cst"
	"h5pay/internal/paytest"
	"h5pay/internal/remote"
	"h5pay/internal/store/storetest"
	"h5pay/internal/v1"
)

func TestMain(m *testing.M) { cleanup.Main(m.Run) }

// world is a shop on a port, and an operator who archives it.
type world struct {
	*paytest.Merchant
	url   string
	calls atomic.Int64
	fault func(n int64, w http.ResponseWriter) bool // of the n-th call; nil: none
	dir   string
	out   bytes.Buffer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return worldOf(t, paytest.NewMerchant(t))
}

// worldOf returns a world with a merchant's shop.
func worldOf(t *testing.T, m *paytest.Merchant) *world {
	t.Helper()
	w := &world{Merchant: m, dir: t.TempDir()}
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if n := w.calls.Add(1); w.fault != nil && w.fault(n, rw) {
			return
		}
		w.Handler.ServeHTTP(rw, r)
	}))
	t.Cleanup(s.Close)
	w.url = s.URL
	return w
}

// key returns an API key.
func (w *world) key(scopes ...string) string {
	w.T.Helper()
	r := httptest.NewRequest("POST", paytest.ShopURL+"/v1/keys", strings.NewReader(`{"name":"archive","scopes":["`+strings.Join(scopes, `","`)+`"]}`))
	r.Header = http.Header{"Authorization": {"Bearer " + paytest.AdminToken}, "Content-Type": {"application/json"}, "Idempotency-Key": {rand.Text()}}
	status, text := paytest.Serve(w.Handler, r)
	var made v1.Key
	if err := json.Unmarshal(text, &made); err != nil || status != http.StatusCreated {
		w.T.Fatalf("%d %s", status, text)
	}
	return made.Key
}

// run archives the orders of before, and deletes them if remove is set.
func (w *world) run(before time.Time, remove bool) error {
	w.out.Reset()
	return archive.Run(context.Background(), archive.Config{
		Shop:   &remote.Shop{URL: w.url, Key: w.key("read", "admin"), Scopes: "read and admin", Agent: "h5pay archive", Timeout: 10 * time.Second},
		Before: before, Dir: w.dir, Delete: remove, Out: &w.out, Pause: time.Millisecond,
	})
}

// file returns a file of the archive.
func (w *world) file(name string) string {
	w.T.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		w.T.Fatal(err)
	}
	return string(text)
}

func (w *world) count(table string) (n int) {
	w.T.Helper()
	if err := w.DB.QueryRow(`SELECT COUNT(*) FROM ` + table).Scan(&n); err != nil {
		w.T.Fatal(err)
	}
	return n
}

// The orders of more than 400 days ago are in the files, and no longer in the shop. Those that are
// younger are only in the shop.
func TestArchive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	buyer := w.SignedIn(0)
	var ids []string
	for range 3 {
		ids = append(ids, w.PaidOrderOf(buyer, "tea").ID)
	}
	w.Deliver()
	month := cst.In(w.Now()).Format("2006-01")
	w.AdvanceClock(401 * 24 * time.Hour)
	young := w.PaidOrderOf(w.SignedIn(1), "tea").ID
	w.Deliver()
	before := w.Now().Add(-400 * 24 * time.Hour)

	if err := w.run(before, false); err != nil {
		t.Fatal(err)
	}
	if w.count("orders") != 4 {
		t.Errorf("%d orders are left without -delete", w.count("orders"))
	}
	if err := w.run(before, true); err != nil {
		t.Fatal(err)
	}
	text := w.out.String()
	if !strings.Contains(text, "orders-"+month+"-2.jsonl and .csv: orders 3, paid 204.00 yuan, refunded 0.00 yuan\n") || !strings.Contains(text, month+": deleted from the shop 3, kept there 0\n") {
		t.Errorf("it printed %s", text)
	}
	for _, name := range []string{"orders-" + month, "orders-" + month + "-2"} {
		lines := strings.Split(strings.TrimSuffix(w.file(name+".jsonl"), "\n"), "\n")
		if len(lines) != 3 {
			t.Fatalf("%s has %d lines", name, len(lines))
		}
		for i, line := range lines {
			var o v1.Order
			if err := json.Unmarshal([]byte(line), &o); err != nil || o.ID != ids[i] || len(o.Payments) != 1 || o.Payments[0].Payer != buyer.User.OpenID || len(o.Steps) != 2 {
				t.Errorf("line %d of %s: %s, %v", i, name, line, err)
			}
		}
		rows := w.file(name + ".csv")
		if strings.Count(rows, "\r\n") != 4 || !strings.HasPrefix(rows, "\ufeffid,reference,") || !strings.Contains(rows, ids[0]+",,shop,paid,") || !strings.Contains(rows, ",68.00,0.00,CNY,") {
			t.Errorf("%s.csv: %s", name, rows)
		}
		for _, end := range []string{".csv", ".jsonl"} {
			if info, err := os.Stat(filepath.Join(w.dir, name+end)); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s%s: %v, %v", name, end, info.Mode(), err)
			}
		}
	}
	if w.count("orders") != 1 || w.count("payments") != 1 || w.count("events") != 1 {
		t.Errorf("%d orders, %d payments and %d events are left", w.count("orders"), w.count("payments"), w.count("events"))
	}
	storetest.Check(t, w.DB)
	r := httptest.NewRequest("GET", paytest.ShopURL+"/v1/audit", nil)
	r.Header.Set("Authorization", "Bearer "+paytest.AdminToken)
	if _, audit := paytest.Serve(w.Handler, r); !strings.Contains(string(audit), `"deleteOrders"`) || strings.Count(string(audit), ids[0]) != 1 || strings.Contains(string(audit), young) {
		t.Errorf("the audit list is %s", audit)
	}
	if err := w.run(before, true); err != nil || !strings.Contains(w.out.String(), "no order from before") {
		t.Errorf("%v, %s", err, w.out.String())
	}
	if w.count("orders") != 1 {
		t.Errorf("order %s is gone", young)
	}
}

// A shop without a back end archives its orders too. Their events wait for no endpoint.
func TestArchiveWithoutWebhook(t *testing.T) {
	t.Parallel()
	w := worldOf(t, &paytest.Merchant{Shop: paytest.NewShop(t, nil)})
	buyer := w.SignedIn(0)
	for range 3 {
		buyer.PaidOrder("tea", 1)
	}
	w.AdvanceClock(401 * 24 * time.Hour)
	w.SignedIn(1).PaidOrder("tea", 1)
	if err := w.run(w.Now().Add(-400*24*time.Hour), true); err != nil {
		t.Fatal(err)
	}
	if text := w.out.String(); !strings.Contains(text, ": deleted from the shop 3, kept there 0\n") || w.count("orders") != 1 {
		t.Errorf("%d orders are left; it printed %s", w.count("orders"), text)
	}
	storetest.Check(t, w.DB)
}

// Whatever call fails, and wherever, no order is deleted that no complete file has.
func TestArchiveThatFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	buyer := w.SignedIn(0)
	for range 3 {
		w.PaidOrderOf(buyer, "tea")
	}
	w.Deliver()
	w.AdvanceClock(401 * 24 * time.Hour)
	w.PaidOrderOf(w.SignedIn(1), "tea")
	w.Deliver()
	before := w.Now().Add(-400 * 24 * time.Hour)
	for failing := int64(1); failing <= 6; failing++ {
		w.calls.Store(0)
		w.fault = func(n int64, rw http.ResponseWriter) bool {
			if n >= failing {
				http.Error(rw, `{"code":"misconfigured","message":"down"}`, http.StatusServiceUnavailable)
			}
			return n >= failing
		}
		err := w.run(before, true)
		w.fault = nil
		if failing <= 5 && (err == nil || w.count("orders") != 4) {
			t.Fatalf("call %d fails: %v, %d orders are left", failing, err, w.count("orders"))
		}
	}
	names, err := filepath.Glob(filepath.Join(w.dir, "*.jsonl"))
	if err != nil || len(names) != 2 {
		t.Errorf("%v, %v: want the files before the call that deletes failed, and those of the last run", names, err)
	}
	if w.count("orders") != 1 {
		t.Errorf("%d orders are left", w.count("orders"))
	}
}

// A command that cannot work ends with a sentence that has the remedy and no secret.
func TestCommandThatCannotWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	reader := w.key("read")
	to := []string{"-to", w.dir}
	for name, test := range map[string]struct {
		key    string
		args   []string
		status int
		says   string
	}{
		"no key":         {"", to, 2, "H5PAY_KEY is missing: set it to an API key of the shop with the scope read,"},
		"no folder":      {reader, nil, 2, "want -to FOLDER"},
		"another folder": {reader, []string{"-to", w.dir + "/none"}, 2, "want a folder that exists"},
		"a wrong day":    {reader, append([]string{"-before", "2026-02-30"}, to...), 2, "-before: want a day like 2026-03-01"},
		"a recent day":   {reader, append([]string{"-delete", "-before", time.Now().Format(time.DateOnly)}, to...), 2, "or earlier with -delete"},
		"an argument":    {reader, append(to, "now"), 2, `unexpected argument "now"`},
		"over http":      {reader, append([]string{"-shop", "http://shop.example.com"}, to...), 2, "-shop: \"http://shop.example.com\" would send the API key without encryption: want https"},
		"a wrong key":    {"h5pay_wrong", to, 1, "rejects the API key"},
	} {
		var stdout, stderr bytes.Buffer
		env := map[string]string{"H5PAY_KEY": test.key, "H5PAY_URL": w.url}
		status := archive.Main(t.Context(), test.args, func(name string) string { return env[name] }, &stdout, &stderr)
		text := stderr.String()
		if status != test.status || stdout.Len() > 0 || strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "h5pay archive: ") || !strings.Contains(text, test.says) {
			t.Errorf("%s: status %d, printed %q and %q", name, status, stdout.String(), text)
		}
		if test.key != "" && strings.Contains(text, test.key) {
			t.Errorf("%s: the message has the key", name)
		}
	}
	left, err := os.ReadDir(w.dir)
	if err != nil || len(left) != 0 {
		t.Errorf("%s is left, %v", fmt.Sprint(left), err)
	}
}
