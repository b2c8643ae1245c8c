package main

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The model has the round trips that TestRoundTripsAndRows allows each call.
func TestRoundTripsOfTheModel(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../../internal/paytest/trips_test.go")
	if err != nil {
		t.Fatal(err)
	}
	trips := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^\t"([^"]+)":\s+\{(\d+), (\d+), \d+, \d+\},$`).FindAllStringSubmatch(string(source), -1) {
		before, err1 := strconv.Atoi(m[2])
		after, err2 := strconv.Atoi(m[3])
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		trips[m[1]] = before + after
	}
	sum := func(calls ...string) (n int) {
		for _, call := range calls {
			k, ok := trips[call]
			if !ok {
				t.Fatalf("TestRoundTripsAndRows has no call %q", call)
			}
			n += k
		}
		return n
	}
	buyer := sum("POST orders", "POST pay")
	order := buyer + sum("GET config", "GET products", "POST oauth/token", "GET order", "GET order, WeChat queried", "notification", "GET order, paid", "delivery of an event")
	if order != tripsOfOrder || buyer != tripsOfBuyer {
		t.Errorf("a paid order costs %d round trips, and the buyer waits for %d; the model says %d and %d: change model.go, and the tables of docs/scale.md", order, buyer, tripsOfOrder, tripsOfBuyer)
	}
}

// The tables of both documents are those of the model.
func TestDocumentsHaveTheTables(t *testing.T) {
	t.Parallel()
	for lang, name := range map[string]string{"en": "../../docs/scale.md", "zh": "../../docs/scale.zh-CN.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for table := range strings.SplitSeq(strings.TrimSpace(tables(lang)), "\n\n") {
			if !strings.Contains(string(text), table) {
				t.Errorf("%s does not have this table of `go run ./e2e/scale -lang %s`:\n%s", name, lang, table)
			}
		}
	}
}

// A larger load never makes a buyer wait less, and the walls are where parts become full.
func TestWallsOfTheModel(t *testing.T) {
	t.Parallel()
	for _, d := range deployments {
		before := 0.0
		for _, perDay := range loads {
			ms, ok := wait(d.parts, d.perSecond(perDay))
			_, rate := wall(d.parts)
			if fits := d.perSecond(perDay) < rate; fits != ok {
				t.Errorf("%s at %v orders a day: full is %t, and the wall is %v a second", d.name.en, perDay, !ok, rate)
			}
			if ok && ms < before {
				t.Errorf("%s: a buyer waits %v ms at %v orders a day, and %v ms at fewer", d.name.en, ms, perDay, before)
			}
			before = ms
		}
		if what, at := d.first(); what.en == "" || what.zh == "" || at <= 0 {
			t.Errorf("%s has no wall", d.name.en)
		}
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for n, want := range map[float64]string{7: "7", 58.2: "58", 216: "220", 12_000: "12,000", 1_080_000: "1,100,000"} {
		if got := number(n); got != want {
			t.Errorf("%v is %s, want %s", n, got, want)
		}
	}
}
