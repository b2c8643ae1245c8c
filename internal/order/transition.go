package order

import "slices"

// transition is a change of a status.
type transition[Status comparable] struct{ from, to Status }

// transitions holds all changes of one kind of status.
type transitions[Status comparable] []transition[Status]

// has reports whether one status may follow another.
func (all transitions[Status]) has(from, to Status) bool {
	return slices.Contains(all, transition[Status]{from, to})
}

// sources returns the statuses that lead to one.
func (all transitions[Status]) sources(to Status) []Status {
	var from []Status
	for _, t := range all {
		if t.to == to {
			from = append(from, t.from)
		}
	}
	return from
}
