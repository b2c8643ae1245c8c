package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"h5pay/internal/key"
	"h5pay/internal/store"
	"h5pay/internal/v1"
)

// keyShown is how long a repeated call returns the text of the key that the first call made.
const keyShown = 24 * time.Hour

// createKey makes an API key. The text of the key is derived from the request, so a repeated
// call returns the same one although it is not stored. A key cannot give a scope that it
// lacks.
func (b backend) createKey(ctx context.Context, c *v1Call) (any, error) {
	req := c.body.(v1.CreateKey)
	fingerprint, err := c.fingerprint()
	if err != nil {
		return nil, err
	}
	now := b.now()
	made := key.Derive([]byte(b.cfg.SessionKey), c.by.id, c.idempotencyKey, now)
	record := key.Record{
		ID: made.ID, Hash: made.Hash(), Name: req.Name, CreatedAt: now,
		MadeBy: c.by.id, IdempotencyKey: c.idempotencyKey, Fingerprint: fingerprint,
	}
	for i, scope := range req.Scopes {
		for _, earlier := range req.Scopes[:i] {
			if earlier == scope {
				return nil, wrongField("scopes", "has "+string(scope)+" twice")
			}
		}
		if !c.by.has(scope) {
			return nil, &v1.Error{Code: v1.CodeScopeMissing, Field: fmt.Sprintf("scopes[%d]", i),
				Message: fmt.Sprintf("scopes[%d]: the API key lacks the scope %q and cannot give it", i, scope)}
		}
		record.Scopes = append(record.Scopes, string(scope))
	}
	if req.ExpiresIn > 0 {
		record.ExpiresAt = now.Add(time.Duration(req.ExpiresIn) * time.Second)
	}
	if most := c.by.expiresAt; !most.IsZero() && (record.ExpiresAt.IsZero() || record.ExpiresAt.After(most)) {
		record.ExpiresAt = most // no key is valid for longer than the key that made it
	}
	stored, err := b.cfg.Store.InsertKey(ctx, record)
	if err != nil {
		return nil, err
	}
	if stored {
		b.logger(ctx).Warn("API key created", "key", record.ID, "by", c.by.id, "scopes", record.Scopes)
	} else {
		record, err = b.cfg.Store.KeyOfRequest(ctx, c.by.id, c.idempotencyKey)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return nil, &v1.Error{Code: v1.CodeFull, Message: fmt.Sprintf("the shop has as many API keys as it may: %d that are valid, or %d with those that ended in the last %d days",
				store.MaxKeys, store.MaxStoredKeys, store.KeepEndedKeys/(24*time.Hour))}
		case err != nil:
			return nil, err
		case record.Fingerprint != fingerprint:
			return nil, c.mismatch()
		}
		made = key.Derive([]byte(b.cfg.SessionKey), c.by.id, c.idempotencyKey, record.CreatedAt)
	}
	public := publicKey(record)
	// After a change of SESSION_KEY the same request derives another text.
	if now.Sub(record.CreatedAt) < keyShown && made.ID == record.ID && made.Has(record.Hash) {
		public.Key = made.Text()
	}
	return public, nil
}

func (b backend) listKeys(ctx context.Context, _ *v1Call) (any, error) {
	records, err := b.cfg.Store.Keys(ctx)
	if err != nil {
		return nil, err
	}
	list := v1.Keys{Keys: make([]v1.Key, len(records))}
	for i, k := range records {
		list.Keys[i] = publicKey(k)
	}
	return list, nil
}

func (b backend) revokeKey(ctx context.Context, c *v1Call) (any, error) {
	record, err := b.cfg.Store.RevokeKey(ctx, c.PathValue("id"), b.now())
	if errors.Is(err, store.ErrNotFound) {
		return nil, noSuch("API key")
	}
	if err != nil {
		return nil, err
	}
	b.logger(ctx).Warn("API key revoked", "key", record.ID, "by", c.by.id)
	return publicKey(record), nil
}

// publicKey returns a key without its text.
func publicKey(k key.Record) v1.Key {
	public := v1.Key{ID: k.ID, Name: k.Name, CreatedAt: k.CreatedAt.UnixMilli(),
		LastUsedAt: unixMilli(k.LastUsedAt), ExpiresAt: unixMilli(k.ExpiresAt), RevokedAt: unixMilli(k.RevokedAt)}
	for _, scope := range k.Scopes {
		public.Scopes = append(public.Scopes, v1.Scope(scope))
	}
	return public
}
