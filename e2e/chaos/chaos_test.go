package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"h5pay/internal/cleanup"
	"h5pay/internal/store"
)

// TestMain ends every process that a test started.
func TestMain(m *testing.M) { cleanup.Main(m.Run) }

// Short campaigns: with APIv2, with every move from APIv2 to APIv3 and between keys, on three nodes and
// PostgreSQL, and on one node and its file. `make chaos` runs long ones. The seed is fixed, so that a failure is caused by a change.
func TestShortCampaign(t *testing.T) {
	for _, o := range []options{{api: "v2", on: onWorkerd, orders: 80}, {api: "move", on: onWorkerd, orders: minMoveOrders(len(migrations))}, {api: "v3", on: onPostgres, orders: 80}, {api: "v3", on: onSQLite, orders: 120}} {
		t.Run(o.api+" on "+o.on, func(t *testing.T) {
			o.seed, o.atOnce = 1, 6
			r := campaignOf(t, o)
			for _, m := range migrations {
				if done := r.faults["move: "+m.name]; (done == 1) != (o.api == "move") {
					t.Errorf("move %s: made %d times", m.name, done)
				}
			}
		})
	}
}

// campaignOf runs a campaign that has to find nothing.
func campaignOf(t *testing.T, o options) *report {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	artifacts := filepath.Join(root, "artifacts")
	if err := os.MkdirAll(artifacts, 0o755); err != nil {
		t.Fatal(err)
	}
	r, err := run(t.Context(), root, o, filepath.Join(artifacts, "chaos-"+o.on+"-"+o.api+".log"))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	r.print(&text)
	t.Log("\n" + text.String())
	if len(r.findings) > 0 {
		t.Fail()
	}
	if r.twice == 0 {
		t.Error("no order was paid twice")
	}
	if r.paid < 20 || r.deaths < 3 || len(r.faults) < 15 {
		t.Errorf("%d paid, %d deaths, %d kinds of faults: too few to test anything", r.paid, r.deaths, len(r.faults))
	}
	happened := []string{"flood: order rejected, too_many_orders", "order by API: paid", "order by API: repeated and conflicting keys", "endpoint money: delivery while it was down", "endpoint all: answered 410"}
	if o.on != onPostgres {
		happened = append(happened, "database full: order rejected, shop_full", "database full: payment settled")
	} else if r.freezes < 2 {
		t.Errorf("nodes were stopped %d times", r.freezes)
	}
	for _, what := range happened {
		if r.faults[what] == 0 {
			t.Errorf("it never came to this: %s", what)
		}
	}
	if r.restarts == 0 && o.on != onSQLite { // SQLite crashes with the node
		t.Error("the database was never killed")
	}
	return r
}

// A world that cannot start returns its error, and stops what it has started.
func TestWorldThatCannotStart(t *testing.T) {
	o := options{api: "v2", on: onPostgres}
	if w, err := deploy(t.Context(), t.TempDir(), o, store.DefaultBounds()); err == nil {
		w.close()
		t.Error("a world without its files started")
	}
}

func TestSeedDecidesThePlan(t *testing.T) {
	o := options{seed: 7, orders: 300, atOnce: 6, api: "move", on: onPostgres, moves: moves()}
	a, b := newPlan(o), newPlan(o)
	if !reflect.DeepEqual(a, b) {
		t.Error("one seed made two plans")
	}
	o.seed = 8
	if reflect.DeepEqual(a, newPlan(o)) {
		t.Error("two seeds made one plan")
	}
}
