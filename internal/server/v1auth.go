package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/key"
	"h5pay/internal/order"
	"h5pay/internal/reqlog"
	"h5pay/internal/store"
	"h5pay/internal/v1"
)

// principal is the caller of a call: an API key, or the root token.
type principal struct {
	id      string // of the key, or key.Root
	name    string // of the key
	scopes  []string
	usedAt  time.Time // when the use of the key was stored
	browser bool      // signed in at the console
	// expiresAt is zero for a key that does not expire.
	expiresAt time.Time
}

func (p principal) has(s v1.Scope) bool {
	if p.id == key.Root {
		return true
	}
	for _, have := range p.scopes {
		if have == string(s) {
			return true
		}
	}
	return false
}

// KeyCounter is a Limiter that can report how many calls are left.
type KeyCounter interface {
	// Left returns how many calls of key are left, and when the count restarts.
	Left(key string) (left int, reset time.Duration)
}

// authenticate returns the caller of a call, and the products for sale with some IDs. The
// root token has no limit. Calls with a known key are limited by the key. All others are
// limited by address, before the database is read.
func (b backend) authenticate(w http.ResponseWriter, r *http.Request, ids []string) (principal, []order.Product, error) {
	ctx := r.Context()
	if b.operator.isSent(r) {
		var products []order.Product
		var err error
		if len(ids) > 0 {
			products, err = b.cfg.Store.ProductsByID(ctx, ids)
		}
		return principal{id: key.Root}, products, err
	}
	sent, err := b.sentCredentials(r)
	if sent.session == nil && !b.known.has(sent.key) && !b.allow(ctx, b.cfg.AddressLimit, "token "+limitedAddress(r)) {
		w.Header().Set("Retry-After", retryAfter)
		return principal{}, nil, &v1.Error{Code: api.CodeRateLimited, Message: "too many calls without a valid API key, wait a minute"}
	}
	var record key.Record
	var products []order.Product
	if err == nil {
		record, products, err = b.readKey(r, sent, ids)
	}
	var rejected *v1.Error
	if errors.As(err, &rejected) {
		b.known.forget(sent.key)
		if len(r.Header.Values("Authorization")) > 0 {
			b.logSeldom(ctx, slog.LevelWarn, "an API key was rejected", "path", r.URL.Path)
		}
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if err != nil {
		return principal{}, nil, err
	}
	if sent.session == nil {
		b.known.add(sent.key)
	}
	if err := b.limitKey(w, r, record.ID); err != nil {
		return principal{}, nil, err
	}
	return principal{
		id: record.ID, name: record.Name, scopes: record.Scopes, usedAt: record.LastUsedAt, expiresAt: record.ExpiresAt, browser: sent.session != nil,
	}, products, nil
}

// knownKeys are keys that were valid when they were last read. They do not authenticate a
// call. Their calls are not limited by address, so a stranger at the same address cannot
// block a back end.
type knownKeys struct {
	mu     sync.Mutex
	hashes map[string]string // by the ID of the key, as key.Key.Hash
}

func (k *knownKeys) has(sent key.Key) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	hash, ok := k.hashes[sent.ID]
	return ok && sent.Has(hash)
}

func (k *knownKeys) add(sent key.Key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.hashes == nil || len(k.hashes) >= store.MaxKeys { // keys that ended since then
		k.hashes = map[string]string{}
	}
	k.hashes[sent.ID] = sent.Hash()
}

// forget removes a rejected key. A wrong secret of a known key has another hash, and removes
// nothing.
func (k *knownKeys) forget(sent key.Key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if hash, ok := k.hashes[sent.ID]; ok && sent.Has(hash) {
		delete(k.hashes, sent.ID)
	}
}

// noteUse stores the time at which an API key was used, at most once in key.UsePeriod. It
// does not delay the call: the returned function waits for the statement.
func (b backend) noteUse(ctx context.Context, by principal) (wait func()) {
	now := b.now()
	if by.id == key.Root || now.Sub(by.usedAt) < key.UsePeriod {
		return func() {}
	}
	var group sync.WaitGroup
	group.Go(func() {
		defer func() {
			if p := recover(); p != nil {
				reqlog.Panic(b.logger(ctx), p)
			}
		}()
		if err := b.cfg.Store.UseKey(context.WithoutCancel(ctx), by.id, now); err != nil {
			b.logSeldom(ctx, slog.LevelError, "storing the use of an API key failed", "error", err)
		}
	})
	return group.Wait
}

// credentials are those of a call of /v1: an API key, or a session of the console.
type credentials struct {
	key     key.Key
	session *consoleSession // nil for a key; sealed by this shop
}

// sentCredentials returns the credentials of a request, or an error if it has none.
func (b backend) sentCredentials(r *http.Request) (credentials, error) {
	header := r.Header.Values("Authorization")
	var session consoleSession
	if len(header) == 0 && b.console.get(r, &session) {
		return credentials{session: &session}, nil
	}
	if len(header) != 1 {
		return credentials{}, rejectKey("send an API key: Authorization: Bearer ...")
	}
	scheme, text, _ := strings.Cut(header[0], " ")
	sent, ok := key.Parse(strings.TrimSpace(text))
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return credentials{}, rejectKey("the Authorization header has no API key of this shop")
	}
	return credentials{key: sent}, nil
}

// readKey returns the record of the API key of a call, and the products for sale with some
// IDs. A *v1.Error has the reason why the key, or the session, is invalid.
func (b backend) readKey(r *http.Request, sent credentials, ids []string) (key.Record, []order.Product, error) {
	id := sent.key.ID
	if sent.session != nil {
		id = sent.session.KeyID
	}
	record, products, err := b.keyOf(r.Context(), id, ids)
	found := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return key.Record{}, nil, err
	}
	if sent.session != nil {
		if err := sent.session.problem(r, record, found, b.now()); err != nil {
			return key.Record{}, nil, err
		}
		return record, products, nil
	}
	if !found || !sent.key.Has(record.Hash) {
		return key.Record{}, nil, rejectKey("the API key is unknown")
	}
	if why := record.Ended(b.now()); why != "" {
		return key.Record{}, nil, rejectKey("the API key is " + why)
	}
	return record, products, nil
}

// keyOf returns the record of an API key, and the products for sale with some IDs.
func (b backend) keyOf(ctx context.Context, id string, ids []string) (key.Record, []order.Product, error) {
	if len(ids) == 0 {
		record, err := b.cfg.Store.Key(ctx, id)
		return record, nil, err
	}
	return b.cfg.Store.KeyAndProducts(ctx, id, ids)
}

func rejectKey(why string) error { return &v1.Error{Code: api.CodeUnauthenticated, Message: why} }

// limitKey counts a call of an API key and sets the RateLimit headers. If the platform does
// not report how many calls are left, only the policy is sent.
func (b backend) limitKey(w http.ResponseWriter, r *http.Request, id string) error {
	if b.cfg.KeyLimit == nil {
		return nil
	}
	within := b.allow(r.Context(), b.cfg.KeyLimit, id)
	const name = `"key"`
	w.Header().Set("RateLimit-Policy", fmt.Sprintf("%s;q=%d;w=%s", name, b.cfg.KeyLimitCalls, retryAfter))
	wait := retryAfter
	if counter, ok := b.cfg.KeyLimit.(KeyCounter); ok {
		left, reset := counter.Left(id)
		wait = strconv.Itoa(int((reset + time.Second - 1) / time.Second))
		w.Header().Set("RateLimit", fmt.Sprintf("%s;r=%d;t=%s", name, left, wait))
	}
	if within {
		return nil
	}
	w.Header().Set("Retry-After", wait)
	return &v1.Error{Code: api.CodeRateLimited, Message: "too many calls of this API key, see the header Retry-After"}
}
