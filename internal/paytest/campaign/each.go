package campaign

import "sync"

// each calls do with all things in order, with some calls in parallel.
func each[T any](atOnce int, things []T, do func(T)) {
	next := make(chan T)
	var work sync.WaitGroup
	for range atOnce {
		work.Go(func() {
			for t := range next {
				do(t)
			}
		})
	}
	for _, t := range things {
		next <- t
	}
	close(next)
	work.Wait()
}
