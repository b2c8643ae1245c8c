package server

import (
	"context"
	"net/http"

	"h5pay/internal/api"
)

// count adds to counters, for what leaves no row of its own. A failure costs no more
// than the count. Nothing may be counted that a stranger can make happen at
// will: a count is a write.
func (s *Server) count(ctx context.Context, counts map[string]int) {
	if err := s.cfg.Store.Count(ctx, counts); err != nil {
		s.logger(ctx).Warn("counting failed", "error", err)
	}
}

// getCounters returns the counters to the operator.
func (s *Server) getCounters(w http.ResponseWriter, r *http.Request) error {
	counters, err := s.cfg.Store.Counters(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, api.Counters{Counters: counters})
}
