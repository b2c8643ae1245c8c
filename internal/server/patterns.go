package server

import (
	"maps"
	"slices"

	"h5pay/internal/v1"
)

// Patterns returns the pattern of every call, as a ServeMux has them. The native server measures its
// calls by them.
func (s *Server) Patterns() []string {
	patterns := slices.Collect(maps.Keys(s.routes()))
	handlers := backend{s}.handlers()
	for _, route := range v1.Routes {
		if _, ok := handlers[route.Name]; ok {
			patterns = append(patterns, route.Method+" "+route.Path)
		}
	}
	slices.Sort(patterns)
	return patterns
}

// V1Handlers returns the names of the routes of package v1 that have a handler.
func (s *Server) V1Handlers() []string { return slices.Sorted(maps.Keys(backend{s}.handlers())) }
