package main

import (
	"math"
	"math/rand/v2"
	"testing"
)

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 0.005*math.Abs(want)+1e-9 {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// The formulas give what textbooks say for queues with a known solution.
func TestKnownQueues(t *testing.T) {
	t.Parallel()
	one := []part{{"writer", 1, 10, 10}}
	// M/M/1: the time is s / (1 - load).
	for rate, want := range map[float64]float64{0: 10, 50: 20, 90: 100} {
		ms, ok := wait(one, rate)
		if !ok {
			t.Errorf("at %v orders a second the writer is full", rate)
		}
		near(t, "the wait", ms, want)
	}
	if _, ok := wait(one, 100); ok {
		t.Error("a writer that is always busy is not full")
	}
	// M/M/2 with half the load: Erlang's C is 1/3.
	near(t, "Erlang's C", waiting(2, 1), 1.0/3)
	// A network adds its time, and never waits.
	if ms, ok := wait([]part{{"network", 0, 1000, 250}}, 1e6); !ok || ms != 250 {
		t.Errorf("a network: %v, %v", ms, ok)
	}
	if first, rate := wall([]part{{"network", 0, 1000, 0}, {"processors", 2, 10, 0}, {"writer", 1, 8, 0}}); first.name != "writer" || rate != 125 {
		t.Errorf("the wall is %s at %v", first.name, rate)
	}
}

// Clients that wait for each other are bounded by the busiest part, and by their own number.
func TestClosedIsWithinItsBounds(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		parts := []part{{"network", 0, 100 * r.Float64(), 0}, {"processors", 1 + r.IntN(4), 10 * r.Float64(), 0}, {"writer", 1, 0.1 + 10*r.Float64(), 0}}
		_, most := wall(parts)
		alone := 0.0
		for _, p := range parts {
			alone += p.demand
		}
		before := 0.0
		for clients := 1; clients < 100; clients *= 2 {
			rate, ms := closed(parts, clients)
			near(t, "the number of clients", rate*ms/1000, float64(clients)) // Little's law
			if rate > most*1.0001 || rate > float64(clients)*1000/alone*1.0001 || rate < before*0.9999 {
				t.Fatalf("%d clients make %v orders a second, %+v", clients, rate, parts)
			}
			before = rate
		}
	}
}

// A simulation of clients at one writer behind a network agrees with the formula.
func TestClosedAgreesWithASimulation(t *testing.T) {
	t.Parallel()
	parts := []part{{"network", 0, 50, 0}, {"writer", 1, 10, 0}}
	for _, clients := range []int{1, 3, 6, 20} {
		want, _ := closed(parts, clients)
		r := rand.New(rand.NewPCG(uint64(clients), 3))
		// Each client is either in the network until a time, or at the writer.
		arrives := make([]float64, clients)
		for i := range arrives {
			arrives[i] = 50 * r.ExpFloat64()
		}
		free, orders := 0.0, 200_000
		for range orders {
			first := 0
			for i := range arrives {
				if arrives[i] < arrives[first] {
					first = i
				}
			}
			free = max(free, arrives[first]) + 10*r.ExpFloat64()
			arrives[first] = free + 50*r.ExpFloat64()
		}
		got := float64(orders) * 1000 / free
		if math.Abs(got-want) > 0.02*want {
			t.Errorf("%d clients: simulated %.1f orders a second, computed %.1f", clients, got, want)
		}
	}
}
