package server

import (
	"maps"
	"slices"
)

// Patterns returns the patterns of all calls, "POST /api/orders", for tests of
// what every call has to do.
func (s *Server) Patterns() []string { return slices.Sorted(maps.Keys(s.routes())) }
