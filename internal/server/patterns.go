package server

import (
	"maps"
	"slices"
)

// Patterns returns the pattern of every call, as a ServeMux has them. The native server measures its
// calls by them.
func (s *Server) Patterns() []string { return slices.Sorted(maps.Keys(s.routes())) }

// V1Handlers returns the names of the routes of package v1 that have a handler.
func (s *Server) V1Handlers() []string { return slices.Sorted(maps.Keys(backend{s}.handlers())) }
