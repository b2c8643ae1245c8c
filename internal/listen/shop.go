package listen

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"h5pay/internal/v1"
)

// next reads the next part of the shop's events, oldest first.
func (l *Listener) next(ctx context.Context) (v1.Events, error) {
	query := url.Values{"order": {string(v1.OldestFirst)}}
	if l.cursor != "" {
		query.Set("cursor", l.cursor)
	} else if l.after != "" {
		query.Set("after", l.after)
	}
	return l.list(ctx, query)
}

// newest reads the last event that was made.
func (l *Listener) newest(ctx context.Context) (v1.Events, error) {
	return l.list(ctx, url.Values{"order": {string(v1.NewestFirst)}, "limit": {"1"}})
}

// list reads a part of the shop's events.
func (l *Listener) list(ctx context.Context, query url.Values) (v1.Events, error) {
	var events v1.Events
	err := l.shop.Call(ctx, http.MethodGet, "/v1/events?"+query.Encode(), nil, &events)
	var rejected *v1.Error
	switch {
	case err == nil && events.Events == nil:
		return v1.Events{}, fmt.Errorf("%s is not a shop of h5pay (200 OK without a list of events): check -shop", l.cfg.Shop)
	case errors.As(err, &rejected) && rejected.Field == "after":
		return v1.Events{}, fmt.Errorf("-after: the shop %s has no event %s: omit -after to begin with new events", l.cfg.Shop, l.after)
	case errors.As(err, &rejected):
		return v1.Events{}, fmt.Errorf("the shop %s rejects the call: %s", l.cfg.Shop, rejected.Message)
	}
	return events, err
}
