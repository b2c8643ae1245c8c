package e2e

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"

	"h5pay/internal/store"
	"h5pay/wechat/wechattest"
)

// The notification is lost, and the phone loses its network after the payment. The cron trigger
// finds the payment.
func TestCronFindsALostPayment(t *testing.T) {
	p := newPhone(t, 0)
	p.choose("tea")
	id := p.order()
	if err := world.sim.AddFault(wechattest.Fault{Kind: wechattest.FaultNotifyLost}); err != nil {
		t.Fatal(err)
	}
	p.openSheet()
	p.run(network.Enable(), network.EmulateNetworkConditions(true, 0, -1, -1))
	sheets := world.sim.Sheets()
	if _, err := world.sim.PaySheet(sheets[len(sheets)-1].ID); err != nil {
		t.Fatal(err)
	}
	if status, _ := stored(t, id); status != "open" {
		t.Fatalf("the order is %s before the cron", status)
	}
	makeOlder(t, id, 2*time.Minute)
	if err := world.shop.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status, transaction := stored(t, id); status != "paid" || transaction == "" {
		t.Errorf("the order is %s by %q after the cron", status, transaction)
	}
	checkLedger(t)
	// The timer has stored D1's size, which is within DATABASE_MB of wrangler.toml.
	var used, capacity int64
	if err := database(t).QueryRow(`SELECT used, capacity FROM database_size`).Scan(&used, &capacity); err != nil || used < 50_000 || capacity != 500_000_000 {
		t.Errorf("the database has %d of %d bytes, %v", used, capacity, err)
	}
	// In another window, because the first continues by itself when its network is back.
	q := newPhone(t, 0)
	q.open(world.sim.PhoneURL + "/result?order=" + id)
	q.seesPaid()
}

// makeOlder makes a stored order older, because the Worker's clock cannot be changed.
func makeOlder(t *testing.T, id string, by time.Duration) {
	t.Helper()
	execSQL(t, `UPDATE orders SET created_at = created_at - ?1, due_at = due_at - ?1 WHERE id = ?2`, by.Milliseconds(), id)
	execSQL(t, `UPDATE payments SET created_at = created_at - ?1, queried_at = queried_at - ?1, due_at = due_at - ?1 WHERE order_id = ?2`, by.Milliseconds(), id)
}

// execSQL writes to the Worker's database directly.
func execSQL(t *testing.T, query string, args ...any) {
	t.Helper()
	var file string
	if err := database(t).QueryRow(`SELECT file FROM pragma_database_list WHERE name = 'main'`).Scan(&file); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(file, filepath.Clean(world.state)) {
		t.Fatalf("the database is %s", file)
	}
	db, err := sql.Open("sqlite", store.SQLiteURI(file, "_pragma=busy_timeout(5000)"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(query, args...); err != nil {
		t.Fatal(err)
	}
}
