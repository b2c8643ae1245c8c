package campaign

import "sync"

// fullness tracks whether the database is full from the signer's point of view.
type fullness struct {
	work      sync.Mutex   // held while the state changes
	steps     sync.RWMutex // held for reading by every other step, so that fill can wait for them
	mu        sync.Mutex
	possible  bool // from before the first excess byte until the signer knows of the free space
	changes   int
	confirmed bool  // the signer has noted that the database is full
	last      int64 // time of the newest order at that time
	paid      int   // orders that were paid at that time
	waiting   []*checkout
}

// fullnessAt is the known state when a call was made.
type fullnessAt struct {
	possible bool
	changes  int
}

func (f *fullness) state() fullnessAt {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fullnessAt{f.possible, f.changes}
}

func (f *fullness) set(maybe bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.possible != maybe {
		f.possible = maybe
		f.changes++
	}
}

// check checks a response shop_full to a call that was made in the state before.
func (f *fullness) check(w *World, before fullnessAt) {
	if now := f.state(); !before.possible && now == before {
		w.Note(Wrong, "", "an order was rejected with shop_full although the database has space")
	}
	w.count("database full: order rejected, shop_full")
}

// postpone keeps a checkout for retryPostponed.
func (f *fullness) postpone(p *checkout) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting = append(f.waiting, p)
}
