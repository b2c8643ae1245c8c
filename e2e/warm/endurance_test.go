package warm_test

import (
	"encoding/json"
	"strconv"
	"testing"
)

// During 20,000 requests with deaths and replacements, the pool stays within its memory limit.
// workerd's memory, which contains the rest, stops growing.
func TestMemoryStaysBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var resident []int
	for range 4 {
		inParallel(5000, 32, func(i int) {
			if i%500 == 0 {
				w.get("/die", "by", "exit")
				return
			}
			w.wantWork(strconv.Itoa(i), "sleep", strconv.Itoa(i%2))
		})
		s := w.pool(nil)
		if s.Memory > 96*mib || s.Count > 16 {
			t.Errorf("the pool: %+v", s)
		}
		resident = append(resident, w.resident())
		t.Logf("%d instances, %d MiB in them, %d MiB in workerd, %d started", s.Count, s.Memory/mib, w.resident(), s.Started)
	}
	if first, last := resident[0], resident[3]; last > first+64 {
		t.Errorf("workerd held %d MiB after 5,000 requests and %d after 20,000", first, last)
	}
}

// After 2,000 requests with a statement and a fetch each, one program holds as much as after the
// first 500. The heap differs by less than 1 KiB between runs, so that 22 bytes for each request
// are too much.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]int{"count": 1, "spareAfter": 60_000, "served": 1_000_000})
	type held struct {
		Heap, Goroutines int
		state
	}
	look := func() (h held) {
		_, text, err := w.get("/memory")
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(text), &h); err != nil {
			t.Fatal(err)
		}
		h.state = w.pool(nil)
		t.Logf("heap %d KiB, linear memory %d KiB, %d goroutines, %d references, workerd %d MiB",
			h.Heap>>10, h.Memory>>10, h.Goroutines, h.References, w.resident())
		return h
	}
	var at []held
	for n := range 4 {
		inParallel(500, 4, func(i int) { w.wantWork(strconv.Itoa(n*500+i), "d1", "1", "fetch", "1") })
		at = append(at, look())
	}
	first, last := at[0], at[len(at)-1]
	if last.Started != 1 {
		t.Fatalf("not one program: %+v", last)
	}
	if last.Goroutines > first.Goroutines || last.References > first.References {
		t.Errorf("goroutines or references leak: %+v, then %+v", first, last)
	}
	if last.Heap > first.Heap+32<<10 || last.Memory > at[1].Memory+mib {
		t.Errorf("memory leaks: %+v, then %+v", first, last)
	}
}
