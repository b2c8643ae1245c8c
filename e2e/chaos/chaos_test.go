package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"h5pay/internal/cleanup"
	"h5pay/internal/paytest/campaign"
	"h5pay/internal/store"
)

// TestMain ends every process that a test started.
func TestMain(m *testing.M) { cleanup.Main(m.Run) }

// Short campaigns: with APIv2, with every move from APIv2 to APIv3 and between keys, on three nodes and
// PostgreSQL, and on one node and its file. `make chaos` runs long ones. The seed is fixed, so that a failure is caused by a change.
func TestShortCampaign(t *testing.T) {
	for _, o := range []campaign.Options{{API: "v2", On: campaign.OnWorkerd, Orders: 80}, {API: "move", On: campaign.OnWorkerd, Orders: campaign.MinMoveOrders(len(migrations))}, {API: "v3", On: campaign.OnPostgres, Orders: 80}, {API: "v3", On: campaign.OnSQLite, Orders: 120}} {
		t.Run(o.API+" on "+o.On, func(t *testing.T) {
			o.Seed, o.AtOnce = 1, 6
			r := campaignOf(t, o)
			for _, m := range migrations {
				if done := r.Faults["move: "+m.Name]; (done == 1) != (o.API == "move") {
					t.Errorf("move %s: made %d times", m.Name, done)
				}
			}
		})
	}
}

// campaignOf runs a campaign that has to find nothing.
func campaignOf(t *testing.T, o campaign.Options) *campaign.Report {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	artifacts := filepath.Join(root, "artifacts")
	if err := os.MkdirAll(artifacts, 0o755); err != nil {
		t.Fatal(err)
	}
	r, err := run(t.Context(), root, o, filepath.Join(artifacts, "chaos-"+o.On+"-"+o.API+".log"))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	r.Print(&text)
	t.Log("\n" + text.String())
	if len(r.Findings) > 0 {
		t.Fail()
	}
	if r.Twice == 0 {
		t.Error("no order was paid twice")
	}
	if r.Paid < 20 || r.Deaths < 3 || len(r.Faults) < 15 {
		t.Errorf("%d paid, %d deaths, %d kinds of faults: too few to test anything", r.Paid, r.Deaths, len(r.Faults))
	}
	happened := []string{"flood: order rejected, too_many_orders", "order by API: paid", "order by API: repeated and conflicting keys", "endpoint money: delivery while it was down", "endpoint all: answered 410"}
	if o.On != campaign.OnPostgres {
		happened = append(happened, "database full: order rejected, shop_full", "database full: payment settled")
	} else if r.Freezes < 2 {
		t.Errorf("nodes were stopped %d times", r.Freezes)
	}
	for _, what := range happened {
		if r.Faults[what] == 0 {
			t.Errorf("it never came to this: %s", what)
		}
	}
	if r.Restarts == 0 && o.On != campaign.OnSQLite { // SQLite crashes with the node
		t.Error("the database was never killed")
	}
	return r
}

// A world that cannot start returns its error, and stops what it has started.
func TestWorldThatCannotStart(t *testing.T) {
	o := campaign.Options{API: "v2", On: campaign.OnPostgres}
	if w, err := deploy(t.Context(), t.TempDir(), o, store.DefaultBounds()); err == nil {
		w.close()
		t.Error("a world without its files started")
	}
}
