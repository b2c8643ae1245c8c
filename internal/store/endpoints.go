package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
)

// MaxEndpoints bounds the endpoints that API calls made. order.SettingsEndpoint is not one.
const MaxEndpoints = 5

const endpointColumns = `id, url, description, types, secret, COALESCE(secret_old, ''), COALESCE(secret_old_until, 0), state, created_at,
	attempts, failures, COALESCE(last_success_at, 0), COALESCE(last_failure_at, 0), COALESCE(last_error, ''),
	COALESCE(made_by, ''), COALESCE(idempotency_key, ''), COALESCE(fingerprint, ''), COALESCE(rotation, '')`

// present is SQL for endpoints that are not deleted.
const present = `state <> 'deleted'`

// waitsAt is SQL for endpoints whose pending deliveries are sent, now or later. unset is a parameter:
// 1 if the settings have no endpoint. Then the triggers still make deliveries for
// order.SettingsEndpoint, and they wait for a setting that may never come. A delivery at an endpoint
// that is disabled, gone or deleted waits for an operator.
func waitsAt(unset string) string {
	return `endpoints.state = 'enabled' AND (` + unset + ` = 0 OR endpoints.id <> 'settings')`
}

// pendingAt is SQL for the number of pending deliveries at endpoints of waitsAt, most at most. It
// reads that many of each endpoint.
func pendingAt(unset, most string) string {
	return `(SELECT MIN(` + most + `, COALESCE(SUM((SELECT COUNT(*) FROM (SELECT 1 FROM deliveries INDEXED BY deliveries_due
		WHERE endpoint_id = endpoints.id AND status = 'pending' LIMIT ` + most + `))), 0)) FROM endpoints WHERE ` + waitsAt(unset) + `)`
}

// Endpoints returns all endpoints but the deleted ones, order.SettingsEndpoint first, then the
// oldest first.
func (s *Store) Endpoints(ctx context.Context) ([]order.Endpoint, error) {
	return s.endpoints(ctx, `SELECT `+endpointColumns+` FROM endpoints WHERE `+present+` ORDER BY created_at, id`)
}

// Endpoint returns an endpoint that is not deleted.
func (s *Store) Endpoint(ctx context.Context, id string) (order.Endpoint, error) {
	return one(s.endpoints(ctx, `SELECT `+endpointColumns+` FROM endpoints WHERE id = ? AND `+present, id))
}

// DueEndpoints returns the endpoints that have something to deliver, and those that are
// deleted or unset. ClaimEvents claims the deliveries.
//
// It reads one delivery of each kind at each endpoint, whatever the number of those that wait for
// their next try. ORDER BY keeps PostgreSQL from reading all of these.
func (s *Store) DueEndpoints(ctx context.Context, now time.Time) ([]order.Endpoint, error) {
	due := func(closed string) string {
		return `EXISTS (SELECT 1 FROM deliveries INDEXED BY deliveries_due WHERE endpoint_id = endpoints.id AND status = 'pending' AND blocked = 0
			AND next_at <= ?1 AND leased_until <= ?1 AND closed = ` + closed + ` ORDER BY next_at LIMIT 1 OFFSET 0)`
	}
	return s.endpoints(ctx, `SELECT `+endpointColumns+` FROM endpoints
		WHERE state = 'deleted' OR state = 'unset' OR state = 'enabled' AND (`+due(`0`)+` OR `+due(`1`)+`) ORDER BY created_at, id`, now.UnixMilli())
}

// InsertEndpoint stores an endpoint. It reports false, and stores nothing, if the same
// maker made one under the same idempotency key, or if the shop has MaxEndpoints.
func (s *Store) InsertEndpoint(ctx context.Context, e order.Endpoint) (bool, error) {
	types, err := json.Marshal(append([]api.EventType{}, e.Types...))
	if err != nil {
		return false, err
	}
	return s.run(ctx, "storing an endpoint", `
		INSERT INTO endpoints (id, url, description, types, secret, state, created_at, updated_at, made_by, idempotency_key, fingerprint)
		SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9, ?10
		WHERE (SELECT COUNT(*) FROM endpoints WHERE id <> 'settings' AND `+present+`) < ?11
		ON CONFLICT DO NOTHING`,
		e.ID, e.URL, e.Description, string(types), e.Secret, string(e.State), milli(e.CreatedAt), e.MadeBy, e.IdempotencyKey, e.Fingerprint, MaxEndpoints)
}

// EndpointOfRequest returns the endpoint that a request made.
func (s *Store) EndpointOfRequest(ctx context.Context, madeBy, idempotencyKey string) (order.Endpoint, error) {
	return one(s.endpoints(ctx, `SELECT `+endpointColumns+` FROM endpoints WHERE made_by = ? AND idempotency_key = ? AND `+present, madeBy, idempotencyKey))
}

// EndpointChange has the new values of an endpoint. A nil field stays as it is.
type EndpointChange struct {
	URL, Description *string
	Types            []api.EventType
	Enabled          *bool
}

// ChangeEndpoint changes an endpoint that is not deleted and returns it. The statement sets the fields
// that c has and no others, so concurrent changes of other fields stay.
func (s *Store) ChangeEndpoint(ctx context.Context, id string, c EndpointChange, now time.Time) (order.Endpoint, error) {
	set := setting{`updated_at = MAX(updated_at, ?2)`, []any{id, now.UnixMilli()}}
	if c.URL != nil {
		set.add(`url = `, *c.URL)
	}
	if c.Description != nil {
		set.add(`description = `, *c.Description)
	}
	if c.Types != nil {
		types, err := json.Marshal(c.Types)
		if err != nil {
			return order.Endpoint{}, err
		}
		set.add(`types = `, string(types))
	}
	switch {
	case c.Enabled == nil:
	case *c.Enabled:
		set.add(`state = `, string(order.EndpointEnabled))
	default:
		set.add(`state = `, string(order.EndpointDisabled))
	}
	return one(s.endpoints(ctx, `UPDATE endpoints SET `+set.columns+` WHERE id = ?1 AND `+present+` RETURNING `+endpointColumns, set.args...))
}

// MoveEndpoint changes the state of an endpoint from one to another, and reports whether it
// did.
func (s *Store) MoveEndpoint(ctx context.Context, id string, from, to order.EndpointState, now time.Time) (bool, error) {
	return s.run(ctx, "changing endpoint "+id, `UPDATE endpoints SET state = ?, updated_at = MAX(updated_at, ?) WHERE id = ? AND state = ?`,
		string(to), now.UnixMilli(), id, string(from))
}

// RotateEndpoint stores a new secret of an endpoint. The previous one also signs until
// oldUntil. It reports false and changes nothing if the same rotation was made before, or if
// e.Secret is no longer current.
func (s *Store) RotateEndpoint(ctx context.Context, e order.Endpoint, secret, rotation string, oldUntil, now time.Time) (bool, error) {
	return s.run(ctx, "changing the secret of endpoint "+e.ID, `
		UPDATE endpoints SET secret = ?1, rotation = ?2, updated_at = MAX(updated_at, ?4),
			secret_old = IIF(?3 > ?4, secret, NULL), secret_old_until = IIF(?3 > ?4, ?3, NULL)
		WHERE id = ?5 AND secret = ?6 AND COALESCE(rotation, '') <> ?2 AND `+present,
		secret, rotation, oldUntil.UnixMilli(), now.UnixMilli(), e.ID, e.Secret)
}

// SealEndpoint replaces the sealed secrets of an endpoint by the same secrets, sealed with
// another key.
func (s *Store) SealEndpoint(ctx context.Context, before, after order.Endpoint) error {
	_, err := s.run(ctx, "sealing the secret of endpoint "+before.ID, `
		UPDATE endpoints SET secret = ?1, secret_old = NULLIF(?2, ''), secret_old_until = IIF(?2 = '', NULL, secret_old_until)
		WHERE id = ?3 AND secret = ?4 AND COALESCE(secret_old, '') = ?5`, after.Secret, after.SecretOld, before.ID, before.Secret, before.SecretOld)
	return err
}

// DeleteEndpoint marks an endpoint as deleted and returns it. It gets no more events.
// DeleteDeliveries deletes the rows later.
func (s *Store) DeleteEndpoint(ctx context.Context, id string, now time.Time) (order.Endpoint, error) {
	return one(s.endpoints(ctx, `
		UPDATE endpoints SET state = 'deleted', made_by = NULL, secret = '', secret_old = NULL, secret_old_until = NULL, updated_at = MAX(updated_at, ?)
		WHERE id = ? AND id <> 'settings' AND `+present+` RETURNING `+endpointColumns, now.UnixMilli(), id))
}

// DeleteDeliveries deletes deliveries of an endpoint that is deleted, at most limit, and
// the endpoint after the last one.
func (s *Store) DeleteDeliveries(ctx context.Context, id string, limit int) error {
	for _, query := range []string{
		`DELETE FROM deliveries WHERE endpoint_id = ?1 AND event_seq IN (SELECT event_seq FROM deliveries WHERE endpoint_id = ?1 ORDER BY event_seq LIMIT ?2)
			AND EXISTS (SELECT 1 FROM endpoints WHERE id = ?1 AND state = 'deleted')`,
		`DELETE FROM endpoints WHERE id = ?1 AND state = 'deleted' AND ?2 > 0 AND NOT EXISTS (SELECT 1 FROM deliveries WHERE endpoint_id = ?1)`,
	} {
		if _, err := s.db.ExecContext(ctx, query, id, limit); err != nil {
			return fmt.Errorf("deleting the deliveries of endpoint %s: %w", id, err)
		}
	}
	return nil
}

// EndpointHealth shows whether an endpoint gets its events.
type EndpointHealth struct {
	order.Endpoint
	OldestPending time.Time // creation of the oldest pending delivery about money, of those that are tried first; zero without one
	OldestClosed  time.Time // the same for order.closed
	Dead          int       // deliveries that are dead after their tries, MaxCounted at most
}

// EndpointHealth reads the health data of all endpoints. It reads about MaxCounted rows of each kind
// for each endpoint at most.
func (s *Store) EndpointHealth(ctx context.Context) ([]EndpointHealth, error) {
	const oldest = `COALESCE((SELECT MIN(created_at) FROM (SELECT created_at FROM deliveries INDEXED BY deliveries_due
		WHERE endpoint_id = endpoints.id AND status = 'pending' AND blocked = 0 AND closed = `
	return readAll(ctx, s, "the health of endpoints", func(rows *sql.Rows) (v EndpointHealth, err error) {
		var pending, closed int64
		v.Endpoint, err = scanEndpoint(rows, &pending, &closed, &v.Dead)
		v.OldestPending, v.OldestClosed = fromMilli(pending), fromMilli(closed)
		return v, err
	}, `SELECT `+endpointColumns+`,
		`+oldest+`0 ORDER BY next_at LIMIT ?1)), 0),
		`+oldest+`1 ORDER BY next_at LIMIT ?1)), 0),
		(SELECT COUNT(*) FROM (SELECT 1 FROM deliveries INDEXED BY failed_deliveries WHERE endpoint_id = endpoints.id AND status = 'dead' AND attempts > 0 LIMIT ?1))
		FROM endpoints WHERE `+present+` ORDER BY created_at, id`, MaxCounted)
}

func (s *Store) endpoints(ctx context.Context, query string, args ...any) ([]order.Endpoint, error) {
	return readAll(ctx, s, "endpoints", func(rows *sql.Rows) (order.Endpoint, error) { return scanEndpoint(rows) }, query, args...)
}

// scanEndpoint reads the endpointColumns of a row, and the columns after them into more.
func scanEndpoint(rows *sql.Rows, more ...any) (e order.Endpoint, err error) {
	var types string
	var until, created, success, failure int64
	err = rows.Scan(append([]any{&e.ID, &e.URL, &e.Description, &types, &e.Secret, &e.SecretOld, &until, &e.State, &created,
		&e.Attempts, &e.Failures, &success, &failure, &e.LastError, &e.MadeBy, &e.IdempotencyKey, &e.Fingerprint, &e.Rotation}, more...)...)
	if err != nil {
		return e, err
	}
	if err := json.Unmarshal([]byte(types), &e.Types); err != nil {
		return e, fmt.Errorf("reading the types of endpoint %s: %w", e.ID, err)
	}
	e.OldUntil, e.CreatedAt, e.LastSuccessAt, e.LastFailureAt = fromMilli(until), fromMilli(created), fromMilli(success), fromMilli(failure)
	return e, nil
}
