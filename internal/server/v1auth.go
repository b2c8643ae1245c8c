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

// KeyCounter is a Limiter that knows how many calls are left.
type KeyCounter interface {
	// Left returns how many calls are left under key, and when the count starts again.
	Left(key string) (left int, reset time.Duration)
}

// authenticate returns the caller of a call, and the products for sale with some IDs. Calls without a valid key are limited by
// address, calls with one by the key. The root token has no limit.
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
	record, products, err := b.sentKey(ctx, r, ids)
	var rejected *v1.Error
	if errors.As(err, &rejected) {
		if len(r.Header.Values("Authorization")) > 0 {
			b.logSeldom(ctx, slog.LevelWarn, "an API key is rejected", "path", r.URL.Path)
		}
		if !b.allow(ctx, b.cfg.AddressLimit, "token "+limitedAddress(r)) {
			w.Header().Set("Retry-After", retryAfter)
			return principal{}, nil, &v1.Error{Code: api.CodeRateLimited, Message: "too many calls without a valid API key, wait a minute"}
		}
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if err != nil {
		return principal{}, nil, err
	}
	if err := b.limitKey(w, r, record.ID); err != nil {
		return principal{}, nil, err
	}
	return principal{id: record.ID, name: record.Name, scopes: record.Scopes, usedAt: record.LastUsedAt, browser: len(r.Header.Values("Authorization")) == 0}, products, nil
}

// noteUse stores that an API key is in use, once in key.UsePeriod. It does not delay the
// call: the function that comes back waits for the end.
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
			b.logSeldom(ctx, slog.LevelError, "the use of an API key is not stored", "error", err)
		}
	})
	return group.Wait
}

// sentKey returns the record of the API key that a request has, or of the one under which
// the console is signed in. A *v1.Error says why the
// key is not valid.
func (b backend) sentKey(ctx context.Context, r *http.Request, ids []string) (key.Record, []order.Product, error) {
	reject := func(why string) (key.Record, []order.Product, error) {
		return key.Record{}, nil, &v1.Error{Code: api.CodeUnauthenticated, Message: why}
	}
	header := r.Header.Values("Authorization")
	var signedIn consoleSession
	if len(header) == 0 && b.console.get(r, &signedIn) {
		record, products, err := b.keyOf(ctx, signedIn.KeyID, ids)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return key.Record{}, nil, err
		}
		if why := signedIn.problem(r, record, err == nil, b.now()); why != nil {
			return key.Record{}, nil, why
		}
		return record, products, nil
	}
	if len(header) != 1 {
		return reject("send an API key: Authorization: Bearer ...")
	}
	scheme, text, _ := strings.Cut(header[0], " ")
	sent, ok := key.Parse(strings.TrimSpace(text))
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return reject("the Authorization header has no API key of this shop")
	}
	record, products, err := b.keyOf(ctx, sent.ID, ids)
	if errors.Is(err, store.ErrNotFound) || err == nil && !sent.Has(record.Hash) {
		return reject("the API key is unknown")
	}
	if err != nil {
		return key.Record{}, nil, err
	}
	if why := record.Ended(b.now()); why != "" {
		return reject("the API key is " + why)
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

// limitKey counts a call of an API key and sets the RateLimit headers. Where the platform
// does not say how many calls are left, only the policy is sent.
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
