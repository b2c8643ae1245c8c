package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"h5pay/internal/cleanup"
)

// TestMain ends every process that a test started.
func TestMain(m *testing.M) { cleanup.Main(m.Run) }

// Short campaigns: with APIv2, and with every move from APIv2 to APIv3 and between keys. `make chaos`
// runs long ones. The seed is fixed, so that a failure is caused by a change.
func TestShortCampaign(t *testing.T) {
	for _, o := range []options{{api: "v2", orders: 80}, {api: "move", orders: minMoveOrders}} {
		t.Run(o.api, func(t *testing.T) {
			o.seed, o.atOnce = 1, 6
			r := campaignOf(t, o)
			for _, m := range moves {
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
	r, err := run(t.Context(), root, o, filepath.Join(artifacts, "chaos-"+o.api+".log"))
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
	for _, what := range []string{"flood: order rejected, too_many_orders", "database full: order rejected, shop_full", "database full: payment settled",
		"order by API: paid", "order by API: repeated and conflicting keys", "endpoint money: delivery while it was down", "endpoint all: answered 410"} {
		if r.faults[what] == 0 {
			t.Errorf("it never came to this: %s", what)
		}
	}
	if r.restarts == 0 {
		t.Error("D1 was never killed")
	}
	return r
}

func TestSeedDecidesThePlan(t *testing.T) {
	o := options{seed: 7, orders: 300, atOnce: 6, api: "move"}
	a, b := newPlan(o), newPlan(o)
	if !reflect.DeepEqual(a, b) {
		t.Error("one seed made two plans")
	}
	o.seed = 8
	if reflect.DeepEqual(a, newPlan(o)) {
		t.Error("two seeds made one plan")
	}
}
