package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"h5pay/internal/api"
	"h5pay/internal/store"
)

var eventStatuses = []api.EventStatus{api.EventPending, api.EventDelivered, api.EventDead}

// adminEvents lists the outbox.
func (s *Server) adminEvents(w http.ResponseWriter, r *http.Request) error {
	page := store.EventPage{Limit: adminList}
	if err := readQuery(r.URL.RawQuery, map[string]func(string) error{
		"status": func(v string) error {
			page.Status = api.EventStatus(v)
			if !slices.Contains(eventStatuses, page.Status) {
				return fmt.Errorf("unknown status")
			}
			return nil
		},
		"cursor": func(v string) (err error) {
			if page.Before, err = strconv.ParseInt(v, 10, 64); err != nil || page.Before < 1 || page.Before >= 1<<53 {
				return fmt.Errorf("want the cursor of a response of this list")
			}
			return nil
		},
		"limit": func(v string) (err error) { page.Limit, err = parseLimit(v); return err },
	}); err != nil {
		return err
	}
	events, next, err := s.cfg.Store.Events(r.Context(), page)
	if err != nil {
		return err
	}
	list := api.EventList{Events: publicEvents(events)}
	if next > 0 {
		list.Cursor = strconv.FormatInt(next, 10)
	}
	return writeJSON(w, http.StatusOK, list)
}

// replayEvent makes an event due again. The timer or the queue sends it, so the operator does not
// wait for the receiver.
func (s *Server) replayEvent(w http.ResponseWriter, r *http.Request) error {
	if err := readJSON(r, &struct{}{}); err != nil {
		return err
	}
	e, err := s.outbox.Replay(context.WithoutCancel(r.Context()), r.PathValue("id"), "")
	if errors.Is(err, store.ErrNotFound) {
		return reject(api.CodeNotFound, "no such event")
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, e.Public())
}
