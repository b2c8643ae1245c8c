package outbox

import (
	"context"
	"errors"
	"strings"
	"time"

	"h5pay/internal/alphabet"
	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
)

// Shown is how long a repeated call returns the secret that the first call made.
const Shown = 24 * time.Hour

// The errors of the calls about endpoints, in addition to store.ErrNotFound.
var (
	ErrFull      = errors.New("outbox: the shop has the maximum of endpoints")
	ErrRepeated  = errors.New("outbox: the request was made before with other content")
	ErrRotated   = errors.New("outbox: another call has changed the secret")
	ErrOfSetting = errors.New("outbox: the settings define the endpoint")
)

// Endpoints returns all endpoints. The endpoint of the settings is among them if it has a URL.
func (s *Sender) Endpoints(ctx context.Context) ([]order.Endpoint, error) {
	all, err := s.cfg.Store.Endpoints(ctx)
	if err != nil {
		return nil, err
	}
	var shown []order.Endpoint
	for _, e := range all {
		if e.ID != order.SettingsEndpoint || s.cfg.Webhook != nil {
			shown = append(shown, e)
		}
	}
	return shown, nil
}

// Endpoint returns an endpoint.
func (s *Sender) Endpoint(ctx context.Context, id string) (order.Endpoint, error) {
	if id == order.SettingsEndpoint && s.cfg.Webhook == nil {
		return order.Endpoint{}, store.ErrNotFound
	}
	return s.cfg.Store.Endpoint(ctx, id)
}

// CreateEndpoint stores an endpoint with a new secret and returns both. A repeated request
// returns what the first one made, and its secret for a day. In a shop without WEBHOOK_URL
// events then no longer wait for the endpoint of the settings.
func (s *Sender) CreateEndpoint(ctx context.Context, e order.Endpoint) (order.Endpoint, string, error) {
	text, err := alphabet.Lower32.Random(s.cfg.Rand, 20)
	if err != nil {
		return e, "", err
	}
	e.ID, e.CreatedAt = "ep_"+text, s.now()
	secret, sealed, err := s.newSecret(e.ID)
	if err != nil {
		return e, "", err
	}
	e.Secret = sealed
	made, err := s.cfg.Store.InsertEndpoint(ctx, e)
	if err != nil {
		return e, "", err
	}
	if !made {
		return s.createdBefore(ctx, e)
	}
	s.logger(ctx).Warn("endpoint created", "endpoint", e.ID, "by", e.MadeBy, "types", e.Types)
	if s.cfg.Webhook == nil {
		if _, err := s.cfg.Store.MoveEndpoint(ctx, order.SettingsEndpoint, order.EndpointEnabled, order.EndpointUnset, s.now()); err != nil {
			return e, "", err
		}
	}
	return e, secret, nil
}

// createdBefore returns the endpoint that an earlier request made.
func (s *Sender) createdBefore(ctx context.Context, e order.Endpoint) (order.Endpoint, string, error) {
	before, err := s.cfg.Store.EndpointOfRequest(ctx, e.MadeBy, e.IdempotencyKey)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return e, "", ErrFull
	case err != nil:
		return e, "", err
	case before.Fingerprint != e.Fingerprint:
		return e, "", ErrRepeated
	}
	if s.now().Sub(before.CreatedAt) >= Shown || before.Rotation != "" {
		return before, "", nil
	}
	o, err := s.open(before)
	if err != nil {
		return before, "", nil
	}
	return before, o.texts[0], nil
}

// ChangeEndpoint changes an endpoint and returns it. Only the types and the state of the
// endpoint of the settings can change. Enabling an endpoint that is gone resumes its
// deliveries.
func (s *Sender) ChangeEndpoint(ctx context.Context, id string, c store.EndpointChange) (order.Endpoint, error) {
	switch {
	case id != order.SettingsEndpoint:
	case s.cfg.Webhook == nil:
		return order.Endpoint{}, store.ErrNotFound
	case c.URL != nil || c.Description != nil:
		return order.Endpoint{}, ErrOfSetting
	}
	e, err := s.cfg.Store.ChangeEndpoint(ctx, id, c, s.now())
	if err != nil {
		return e, err
	}
	s.logger(ctx).Warn("endpoint changed", "endpoint", e.ID, "state", string(e.State), "types", e.Types)
	s.cfg.Announce()
	return e, nil
}

// RotateSecret gives an endpoint a new secret and returns both. The previous one also signs for a
// time. call identifies the call. Until the next rotation, a repeated call with the same
// fingerprint returns the secret of the first one. Another fingerprint is ErrRepeated.
func (s *Sender) RotateSecret(ctx context.Context, id, call, fingerprint string, keep time.Duration) (order.Endpoint, string, error) {
	if id == order.SettingsEndpoint {
		return order.Endpoint{}, "", ErrOfSetting
	}
	e, err := s.cfg.Store.Endpoint(ctx, id)
	if err != nil {
		return e, "", err
	}
	if strings.HasPrefix(e.Rotation, call+" ") && e.Rotation != call+" "+fingerprint {
		return e, "", ErrRepeated
	}
	secret, sealed, err := s.newSecret(id)
	if err != nil {
		return e, "", err
	}
	now, rotation := s.now(), call+" "+fingerprint
	changed, err := s.cfg.Store.RotateEndpoint(ctx, e, sealed, rotation, now.Add(keep), now)
	if err != nil {
		return e, "", err
	}
	if e, err = s.cfg.Store.Endpoint(ctx, id); err != nil {
		return e, "", err
	}
	if changed {
		s.logger(ctx).Warn("the secret of an endpoint was changed", "endpoint", id, "old_until", e.OldUntil)
		return e, secret, nil
	}
	if e.Rotation != rotation {
		return e, "", ErrRotated
	}
	o, err := s.open(e)
	if err != nil {
		return e, "", err
	}
	return e, o.texts[0], nil
}

// DeleteEndpoint deletes an endpoint and returns it. Later calls of Deliver delete its
// deliveries.
func (s *Sender) DeleteEndpoint(ctx context.Context, id string) (order.Endpoint, error) {
	if id == order.SettingsEndpoint {
		return order.Endpoint{}, ErrOfSetting
	}
	e, err := s.cfg.Store.DeleteEndpoint(ctx, id, s.now())
	if err == nil {
		s.logger(ctx).Warn("endpoint deleted", "endpoint", id)
	}
	return e, err
}

// Test is the result of one delivery that is not stored.
type Test struct {
	EventID string
	Status  int    // HTTP status of the response, 0 without one
	Problem string // "" if the endpoint acknowledged the event
	Took    time.Duration
}

// TestEndpoint sends an event of type endpoint.test to an endpoint, whatever its state, and waits for
// the response. The endpoint stays as it is.
func (s *Sender) TestEndpoint(ctx context.Context, id string) (Test, error) {
	e, err := s.Endpoint(ctx, id)
	if err != nil {
		return Test{}, err
	}
	if e.State == order.EndpointUnset {
		e.State = order.EndpointEnabled
	}
	statements := 0
	t, ok, err := s.target(ctx, e, &statements)
	if err != nil {
		return Test{}, err
	}
	if !ok {
		return Test{Problem: "the secret cannot be opened with SESSION_KEY: change the secret"}, nil
	}
	text, err := alphabet.Lower32.Random(s.cfg.Rand, 20)
	if err != nil {
		return Test{}, err
	}
	began := s.now()
	sample := order.Event{ID: "evt_test_" + text, Type: api.EventTest, CreatedAt: began, Shop: s.cfg.Origin.Shop, AppID: s.cfg.Origin.AppID, MchID: s.cfg.Origin.MchID, Data: "{}"}
	res, err := s.send(ctx, t, sample.ID, s.body(sample))
	result := Test{EventID: sample.ID, Status: res.status, Took: s.now().Sub(began)}
	switch {
	case err != nil:
		result.Problem = err.Error()
	case !res.ok():
		result.Problem = res.reason()
	}
	return result, nil
}
