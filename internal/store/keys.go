package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"
	"time"

	"h5pay/internal/key"
	"h5pay/internal/order"
)

// Bounds of the API keys of a shop. A key ends when it is revoked or expires.
const (
	MaxKeys       = 1000                // that have not ended
	MaxStoredKeys = 5000                // including those that have ended
	KeepEndedKeys = 90 * 24 * time.Hour // Reconciled deletes them later
)

// keyEnd is SQL for when a key ends. The index keys_by_end has it.
const keyEnd = `MIN(COALESCE(revoked_at, 9007199254740991), COALESCE(expires_at, 9007199254740991))`

const keyColumns = `id, hash, name, scopes, created_at, COALESCE(last_used_at, 0), COALESCE(expires_at, 0), COALESCE(revoked_at, 0),
	made_by, idempotency_key, fingerprint, sign_outs`

// InsertKey stores an API key. It reports false and stores nothing if the same maker made a key
// under the same idempotency key. The same holds if the shop has MaxKeys keys that have not ended,
// or MaxStoredKeys in all.
func (s *Store) InsertKey(ctx context.Context, k key.Record) (bool, error) {
	return s.run(ctx, "storing an API key", `
		INSERT INTO keys (id, hash, name, scopes, created_at, expires_at, made_by, idempotency_key, fingerprint)
		SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?
		WHERE (SELECT COUNT(*) FROM keys INDEXED BY keys_by_end WHERE `+keyEnd+` > ?) < ? AND (SELECT COUNT(*) FROM keys) < ?
		ON CONFLICT DO NOTHING`,
		k.ID, k.Hash, k.Name, strings.Join(k.Scopes, " "), milli(k.CreatedAt), milli(k.ExpiresAt), k.MadeBy, k.IdempotencyKey, k.Fingerprint,
		milli(k.CreatedAt), MaxKeys, MaxStoredKeys)
}

// Key returns an API key.
func (s *Store) Key(ctx context.Context, id string) (key.Record, error) {
	return one(s.keys(ctx, `SELECT `+keyColumns+` FROM keys WHERE id = ?`, id))
}

// KeyAndProducts returns an API key and, in the same statement, the products for sale with
// some IDs.
func (s *Store) KeyAndProducts(ctx context.Context, id string, products []string) (key.Record, []order.Product, error) {
	list, err := json.Marshal(products)
	if err != nil {
		return key.Record{}, nil, err
	}
	var found []order.Product
	k, err := one(readAll(ctx, s, "an API key and products", func(rows *sql.Rows) (key.Record, error) {
		var text string
		k, err := scanKey(rows, &text)
		if err == nil {
			found, err = decodeProducts(text)
		}
		return k, err
	}, `SELECT `+keyColumns+`, `+productsJSON+` AS products FROM keys WHERE id = ?1`, id, string(list)))
	return k, found, err
}

// KeyOfRequest returns the API key that a request made.
func (s *Store) KeyOfRequest(ctx context.Context, madeBy, idempotencyKey string) (key.Record, error) {
	return one(s.keys(ctx, `SELECT `+keyColumns+` FROM keys WHERE made_by = ? AND idempotency_key = ?`, madeBy, idempotencyKey))
}

// Keys returns the stored API keys, newest first, also those that have ended.
func (s *Store) Keys(ctx context.Context) ([]key.Record, error) {
	return s.keys(ctx, `SELECT `+keyColumns+` FROM keys ORDER BY created_at DESC, id DESC`)
}

// RevokeKey ends an API key and returns it. A revoked key stays revoked.
func (s *Store) RevokeKey(ctx context.Context, id string, now time.Time) (key.Record, error) {
	return one(s.keys(ctx, `
		UPDATE keys SET revoked_at = COALESCE(revoked_at, MAX(created_at, ?)) WHERE id = ? RETURNING `+keyColumns, now.UnixMilli(), id))
}

// SignOut ends every session of the console under an API key. It reports false if there is
// no such key.
func (s *Store) SignOut(ctx context.Context, id string) (bool, error) {
	return s.run(ctx, "ending the sessions of API key "+id, `UPDATE keys SET sign_outs = sign_outs + 1 WHERE id = ?`, id)
}

// UseKey stores the time at which an API key was used, at most once in key.UsePeriod.
func (s *Store) UseKey(ctx context.Context, id string, now time.Time) error {
	_, err := s.run(ctx, "storing the use of API key "+id, `
		UPDATE keys SET last_used_at = ?1 WHERE id = ?2 AND COALESCE(last_used_at, 0) <= ?1 - ?3`,
		now.UnixMilli(), id, key.UsePeriod.Milliseconds())
	return err
}

func (s *Store) keys(ctx context.Context, query string, args ...any) ([]key.Record, error) {
	return readAll(ctx, s, "API keys", scanKeyOnly, query, args...)
}

func scanKeyOnly(rows *sql.Rows) (key.Record, error) { return scanKey(rows) }

// scanKey reads the keyColumns of a row, and the columns after them into more.
func scanKey(rows *sql.Rows, more ...any) (k key.Record, err error) {
	var scopes string
	var created, used, expires, revoked int64
	err = rows.Scan(append([]any{&k.ID, &k.Hash, &k.Name, &scopes, &created, &used, &expires, &revoked, &k.MadeBy, &k.IdempotencyKey, &k.Fingerprint, &k.SignOuts}, more...)...)
	k.Scopes = strings.Fields(scopes)
	k.CreatedAt, k.LastUsedAt, k.ExpiresAt, k.RevokedAt = fromMilli(created), fromMilli(used), fromMilli(expires), fromMilli(revoked)
	return k, err
}
