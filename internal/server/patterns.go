package server

import (
	"maps"
	"slices"
)

// Patterns returns the pattern of every call, as a ServeMux has them. The native server measures its
// calls by them.
func (s *Server) Patterns() []string { return slices.Sorted(maps.Keys(s.routes())) }
