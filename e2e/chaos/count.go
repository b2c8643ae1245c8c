package main

// count increments a counter of the report.
func (w *world) count(what string) { w.countMany(what, 1) }

func (w *world) countMany(what string, n int) {
	w.countMu.Lock()
	defer w.countMu.Unlock()
	if w.counted == nil {
		w.counted = map[string]int{}
	}
	w.counted[what] += n
}
