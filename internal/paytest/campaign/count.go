package campaign

// count increments a counter of the report.
func (w *World) count(what string) { w.countMany(what, 1) }

func (w *World) countMany(what string, n int) {
	w.countMu.Lock()
	defer w.countMu.Unlock()
	if w.counted == nil {
		w.counted = map[string]int{}
	}
	w.counted[what] += n
}
