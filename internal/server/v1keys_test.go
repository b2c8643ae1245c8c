package server_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
	"h5pay/internal/v1"
	"h5pay/wechat"
)

func newKey() string { return rand.Text() }

// Only the call that makes a key shows its text.
func TestKeyIsShownOnce(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	root := root(s)
	begun := s.Now().UnixMilli()
	a := root.call("POST", "/v1/keys", v1.CreateKey{Name: "收银", Scopes: []v1.Scope{v1.ScopeRead, v1.ScopeRefund}, ExpiresIn: 3600})
	var made, listed v1.Key
	if err := json.Unmarshal(a.Body, &made); err != nil || a.Status != 201 {
		t.Fatalf("%d %s, %v", a.Status, a.Body, err)
	}
	var list v1.Keys
	root.must("GET", "/v1/keys", nil, &list)
	listed = list.Keys[0]
	want := v1.Key{ID: made.ID, Name: "收银", Scopes: []v1.Scope{v1.ScopeRead, v1.ScopeRefund}, CreatedAt: made.CreatedAt, ExpiresAt: made.CreatedAt + 3600_000}
	if d := cmp.Diff(want, listed); d != "" || made.CreatedAt < begun || made.CreatedAt > s.Now().UnixMilli() || len(list.Keys) != 1 {
		t.Errorf("%d keys, created at %d: %s", len(list.Keys), made.CreatedAt, d)
	}
	if !strings.HasPrefix(made.Key, "h5pay_"+made.ID+"_") {
		t.Errorf("the key %s is written %s", made.ID, made.Key)
	}
	secret := strings.TrimPrefix(made.Key, "h5pay_"+made.ID+"_")
	if strings.Contains(s.Log.String(), secret) {
		t.Error("the log has the key")
	}
	var stored int
	if err := s.DB.QueryRow(`SELECT COUNT(*) FROM keys WHERE id || hash || name || made_by || idempotency_key || fingerprint LIKE '%' || ? || '%'`, secret).Scan(&stored); err != nil || stored != 0 {
		t.Errorf("%d rows hold the key, %v", stored, err)
	}
}

// A repeated call makes no second key and shows the first, for a day.
func TestCreateKeyIsIdempotent(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	root := root(s)
	body := `{"name":"erp","scopes":["read"]}`
	create := func(by *backEnd, idempotencyKey, body string) v1Answer {
		r := by.request("POST", "/v1/keys", body)
		r.Header.Set("Idempotency-Key", idempotencyKey)
		return by.send(r)
	}
	first := create(root, "k1", body)
	changesNothing(s, func() {
		if again := create(root, "k1", ` { "scopes" : ["read"], "name":"erp" } `); again.Status != 201 || string(again.Body) != string(first.Body) {
			t.Errorf("repeated: %d %s, first %s", again.Status, again.Body, first.Body)
		}
		for _, other := range []string{`{"name":"erp","scopes":["write"]}`, `{"name":"erp2","scopes":["read"]}`, `{"name":"erp","scopes":["read"],"expires_in":60}`} {
			if a := create(root, "k1", other); a.Status != 409 || a.Err.Code != v1.CodeIdempotency || a.Err.Field != "Idempotency-Key" {
				t.Errorf("%s: %d %s", other, a.Status, a.Body)
			}
		}
	})
	if other := create(root, "k2", body); string(other.Body) == string(first.Body) {
		t.Error("another Idempotency-Key makes the same key")
	}
	// The Idempotency-Keys of two callers are independent.
	admin := newBackEnd(s, v1.ScopeAdmin, v1.ScopeRead)
	if other := create(admin, "k1", body); other.Status != 201 || string(other.Body) == string(first.Body) {
		t.Errorf("another caller gets %s", other.Body)
	}
	s.AdvanceClock(24 * time.Hour)
	if late := create(root, "k1", body); late.Status != 201 || strings.Contains(string(late.Body), `"key"`) {
		t.Errorf("after a day: %d %s", late.Status, late.Body)
	}
}

// Only keys that have not ended count towards the limit. Ended keys are deleted after 90 days, and
// a repeated Idempotency-Key does not restore one.
func TestEndedKeysMakeRoom(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	root := root(s)
	create := func() (k v1.Key) {
		t.Helper()
		r := root.request("POST", "/v1/keys", `{"name":"erp","scopes":["read"]}`)
		r.Header.Set("Idempotency-Key", "erp")
		root.mustSend(r, &k)
		return k
	}
	first := create()
	root.must("DELETE", "/v1/keys/"+first.ID, nil, &v1.Key{})
	insert := `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
		INSERT INTO keys (id, hash, name, scopes, created_at, expires_at, revoked_at, made_by, idempotency_key, fingerprint)
		SELECT ?2 || i, '', '', 'read', 1, ?3, ?4, 'root', ?2 || i, '' FROM n`
	now := s.Now().UnixMilli()
	storetest.Exec(t, s.DB, insert, 1500, "revoked", nil, now-1000)
	storetest.Exec(t, s.DB, insert, 1500, "expired", now-1000, nil)
	storetest.Exec(t, s.DB, insert, 999, "valid", nil, nil)
	root.must("POST", "/v1/keys", v1.CreateKey{Name: "last", Scopes: []v1.Scope{v1.ScopeRead}}, &v1.Key{})
	root.fails(v1.CodeFull, "", "POST", "/v1/keys", v1.CreateKey{Name: "too many", Scopes: []v1.Scope{v1.ScopeRead}})
	count := func() (n int) {
		if err := s.DB.QueryRow(`SELECT COUNT(*) FROM keys`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	storetest.Exec(t, s.DB, `DELETE FROM keys WHERE id LIKE 'valid%'`)
	before := count()
	storetest.Exec(t, s.DB, insert, store.MaxStoredKeys-before, "more", nil, now-1000)
	root.fails(v1.CodeFull, "", "POST", "/v1/keys", v1.CreateKey{Name: "too many", Scopes: []v1.Scope{v1.ScopeRead}})
	s.AdvanceClock(store.KeepEndedKeys - time.Hour)
	s.Reconcile()
	s.Reconcile()
	if n := count(); n != store.MaxStoredKeys {
		t.Errorf("%d keys before their time is over", n)
	}
	s.AdvanceClock(2 * time.Hour)
	for range 50 {
		n := count()
		s.Reconcile()
		if deleted := n - count(); deleted > 100 {
			t.Fatalf("one run deleted %d", deleted)
		}
	}
	if n := count(); n != 1 {
		t.Errorf("%d keys are left, want the valid one", n)
	}
	if again := create(); again.ID == first.ID || again.Key == first.Key || again.Key == "" {
		t.Errorf("the revoked key came back: %+v", again)
	}
}

// A key makes no key with a scope that it lacks, and none that is valid longer. The root token can
// give all scopes.
func TestKeyGivesNoMoreThanItHas(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	admin := newBackEnd(s, v1.ScopeAdmin, v1.ScopeRead)
	for _, scopes := range []string{`["refund"]`, `["write"]`} {
		admin.fails(v1.CodeScopeMissing, "scopes[0]", "POST", "/v1/keys", `{"name":"x","scopes":`+scopes+`}`)
	}
	admin.fails(v1.CodeScopeMissing, "scopes[2]", "POST", "/v1/keys", `{"name":"x","scopes":["admin","read","refund"]}`)
	var made, short, long, shorter v1.Key
	admin.must("POST", "/v1/keys", v1.CreateKey{Name: "x", Scopes: []v1.Scope{v1.ScopeRead, v1.ScopeAdmin}}, &made)
	if made.ExpiresAt != 0 {
		t.Errorf("%+v", made)
	}
	root(s).must("POST", "/v1/keys", v1.CreateKey{Name: "short", Scopes: []v1.Scope{v1.ScopeAdmin}, ExpiresIn: 3600}, &short)
	b := &backEnd{s, short.Key, admin.ip}
	for _, expires := range []int64{0, 7200} {
		b.must("POST", "/v1/keys", v1.CreateKey{Name: "x", Scopes: []v1.Scope{v1.ScopeAdmin}, ExpiresIn: expires}, &long)
		if long.ExpiresAt != short.ExpiresAt {
			t.Errorf("made with expires_in %d by a key that expires at %d: %+v", expires, short.ExpiresAt, long)
		}
	}
	b.must("POST", "/v1/keys", v1.CreateKey{Name: "x", Scopes: []v1.Scope{v1.ScopeAdmin}, ExpiresIn: 60}, &shorter)
	if shorter.ExpiresAt >= short.ExpiresAt {
		t.Errorf("%+v", shorter)
	}
}

// Concurrent copies of a call make one key.
func TestConcurrentCallsMakeOneKey(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	var group sync.WaitGroup
	texts := make([]string, 8)
	for i := range texts {
		group.Go(func() {
			root := root(s)
			r := root.request("POST", "/v1/keys", `{"name":"erp","scopes":["read"]}`)
			r.Header.Set("Idempotency-Key", "same")
			var k v1.Key
			root.mustSend(r, &k)
			texts[i] = k.Key
		})
	}
	group.Wait()
	for _, text := range texts {
		if text == "" || text != texts[0] {
			t.Errorf("keys %v", texts)
		}
	}
}

func TestBadKeyRequests(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	root := root(s)
	for body, field := range map[string]string{
		`{"scopes":["read"]}`: "name",
		`{"name":"` + strings.Repeat("x", 61) + `","scopes":["read"]}`: "name",
		`{"name":"erp"}`:                                     "scopes",
		`{"name":"erp","scopes":[]}`:                         "scopes",
		`{"name":"erp","scopes":["read","read"]}`:            "scopes",
		`{"name":"erp","scopes":["root"]}`:                   "scopes[0]",
		`{"name":"erp","scopes":["read"],"expires_in":59}`:   "expires_in",
		`{"name":"erp","scopes":["read"],"expires_in":-1}`:   "expires_in",
		`{"name":"erp","scopes":["read"],"expires_in":1.5}`:  "expires_in",
		`{"name":"erp","scopes":["read"],"expires_in":"60"}`: "expires_in",
		`{"name":5,"scopes":["read"]}`:                       "name",
		`{"name":"erp","scopes":"read"}`:                     "scopes",
		`{"name":"erp","scopes":["read"],"key":"h5pay_x"}`:   "key",
	} {
		root.fails(api.CodeBadRequest, field, "POST", "/v1/keys", body)
	}
	root.fails(api.CodeNotFound, "", "DELETE", "/v1/keys/aaaaaaaaaaaaaaaa", nil)
}

// Foreign, expired and revoked keys are rejected.
func TestKeysThatAreNotValid(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	root := root(s)
	valid := newBackEnd(s, v1.ScopeRead)
	var short v1.Key
	root.must("POST", "/v1/keys", v1.CreateKey{Name: "short", Scopes: []v1.Scope{v1.ScopeRead}, ExpiresIn: 60}, &short)
	expiring := &backEnd{s, short.Key, valid.ip}
	for _, b := range []*backEnd{valid, expiring} {
		b.must("GET", "/v1/products", nil, &v1.Products{})
	}
	foreign := newBackEnd(paytest.NewShop(t, nil), v1.ScopeRead).key
	last := valid.key[len(valid.key)-1]
	for name, header := range map[string][]string{
		"none":        nil,
		"empty":       {""},
		"no key":      {"Bearer"},
		"foreign":     {"Bearer " + foreign},
		"beginning":   {"Bearer " + valid.key[:len(valid.key)-1]},
		"longer":      {"Bearer " + valid.key + "a"},
		"other end":   {"Bearer " + valid.key[:len(valid.key)-1] + string('a'+(last-'a'+1)%20)},
		"upper case":  {"Bearer " + strings.ToUpper(valid.key)},
		"basic":       {"Basic " + valid.key},
		"bare":        {valid.key},
		"twice":       {"Bearer " + valid.key, "Bearer " + valid.key},
		"in a cookie": {"Cookie " + valid.key},
	} {
		r := valid.request("GET", "/v1/products", "")
		r.Header.Del("Authorization")
		if header != nil {
			r.Header["Authorization"] = header
		}
		if a := valid.rejected(api.CodeUnauthenticated, "", r); a.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: %v", name, a.Header)
		}
	}
	s.AdvanceClock(time.Minute)
	if a := expiring.fails(api.CodeUnauthenticated, "", "GET", "/v1/products", nil); !strings.Contains(a.Err.Message, "expired") {
		t.Errorf("%s", a.Body)
	}
	var revoked, again v1.Key
	id := strings.Split(valid.key, "_")[1]
	root.must("DELETE", "/v1/keys/"+id, nil, &revoked)
	if now := s.Now().UnixMilli(); revoked.RevokedAt > now || revoked.RevokedAt < now-60_000 {
		t.Errorf("%+v", revoked)
	}
	if a := valid.fails(api.CodeUnauthenticated, "", "GET", "/v1/products", nil); !strings.Contains(a.Err.Message, "revoked") {
		t.Errorf("%s", a.Body)
	}
	s.AdvanceClock(time.Hour)
	root.must("DELETE", "/v1/keys/"+id, nil, &again)
	if d := cmp.Diff(revoked, again); d != "" {
		t.Errorf("revoked twice: %s", d)
	}
	if !strings.Contains(s.Log.String(), "an API key was rejected") {
		t.Error("nobody can see that somebody guesses keys")
	}
}

// The last use of a key is stored, once an hour.
func TestUseOfAKeyIsStoredCoarsely(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead)
	use := func() int64 {
		b.must("GET", "/v1/products", nil, &v1.Products{})
		var list v1.Keys
		root(s).must("GET", "/v1/keys", nil, &list)
		return list.Keys[0].LastUsedAt
	}
	first := use()
	if now := s.Now().UnixMilli(); first > now || first < now-60_000 {
		t.Errorf("used at %d, now %d", first, now)
	}
	s.AdvanceClock(30 * time.Minute)
	if got := use(); got != first {
		t.Errorf("half an hour later: %d, want %d", got, first)
	}
	s.AdvanceClock(30 * time.Minute)
	if got := use(); got < first+3600_000 {
		t.Errorf("an hour later: %d, want an hour after %d", got, first)
	}
}

// keyCounter is a limiter that says how many calls are left.
type keyCounter struct{ calls map[string]int }

func (c keyCounter) Allow(_ context.Context, key string) (bool, error) {
	c.calls[key]++
	return c.calls[key] <= 3, nil
}

func (c keyCounter) Left(key string) (int, time.Duration) {
	return max(0, 3-c.calls[key]), 41500 * time.Millisecond
}

// silent is a limiter that does not say how many calls are left, like Cloudflare's.
type silent struct{ keyCounter }

func (silent) Left() {}

func TestKeyLimit(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		limiter interface {
			Allow(context.Context, string) (bool, error)
		}
		wait  string
		after func(i int) string // the header RateLimit of a call
	}{
		"counting": {keyCounter{map[string]int{}}, "42", func(i int) string { return `"key";r=` + strconv.Itoa(max(0, 3-i)) + `;t=42` }},
		"silent":   {silent{keyCounter{map[string]int{}}}, "60", func(int) string { return "" }},
	} {
		s := paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) { cfg.KeyLimit, cfg.KeyLimitCalls = test.limiter, 3 })
		b, other := newBackEnd(s, v1.ScopeRead), newBackEnd(s, v1.ScopeRead)
		for i := 1; i <= 4; i++ {
			a := b.call("GET", "/v1/products", nil)
			if a.Header.Get("RateLimit-Policy") != `"key";q=3;w=60` || a.Header.Get("RateLimit") != test.after(i) {
				t.Errorf("%s, call %d: %v", name, i, a.Header)
			}
			if i < 4 && a.Status != 200 || i == 4 && (a.Err.Code != api.CodeRateLimited || a.Header.Get("Retry-After") != test.wait) {
				t.Errorf("%s, call %d: %d %s %v", name, i, a.Status, a.Body, a.Header)
			}
		}
		if a := other.call("GET", "/v1/products", nil); a.Status != 200 {
			t.Errorf("%s: another key gets %d %s", name, a.Status, a.Body)
		}
		for range 5 {
			if a := root(s).call("GET", "/v1/products", nil); a.Status != 200 {
				t.Errorf("%s: the root token gets %d %s", name, a.Status, a.Body)
			}
		}
	}
}

// Guesses of keys are limited by address before the database is read. They do not block a back end
// at the same address.
func TestGuessedKeysAreLimited(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) { cfg.AddressLimit = keyCounter{map[string]int{}} })
	valid := newBackEnd(s, v1.ScopeRead)
	statements := countStatementsAt(t, s, nil)
	valid.must("GET", "/v1/products", nil, &v1.Products{})
	secret := valid.key[len(valid.key)-32:]
	for _, guessed := range []string{valid.key + "a", strings.Replace(valid.key, secret, strings.Repeat("a", 32), 1), "h5pay_" + strings.Repeat("a", 16) + "_" + secret} {
		for i := range 5 {
			stranger := &backEnd{s, guessed, "203.0.113.77"}
			want := api.CodeUnauthenticated
			if i > 2 || guessed != valid.key+"a" {
				want = api.CodeRateLimited
			}
			before := statements.Load()
			stranger.fails(want, "", "GET", "/v1/products", nil)
			if n := statements.Load() - before; n > 0 {
				t.Errorf("%d statements for a guess", n)
			}
		}
	}
	valid.ip = "203.0.113.77"
	for range 5 {
		valid.must("GET", "/v1/products", nil, &v1.Products{})
	}
	// A revoked key counts as a guess.
	root(s).must("DELETE", "/v1/keys/"+valid.key[6:22], nil, &v1.Key{})
	valid.fails(api.CodeUnauthenticated, "", "GET", "/v1/products", nil)
	valid.fails(api.CodeRateLimited, "", "GET", "/v1/products", nil)
}

// A wrong secret of a known key counts as a guess, and the key stays known.
func TestGuessOfAKnownKey(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) { cfg.AddressLimit = keyCounter{map[string]int{}} })
	valid := newBackEnd(s, v1.ScopeRead)
	valid.must("GET", "/v1/products", nil, &v1.Products{})
	guess := &backEnd{s, valid.key[:len(valid.key)-32] + strings.Repeat("a", 32), "203.0.113.77"}
	for i := range 5 {
		want := api.CodeUnauthenticated
		if i > 2 {
			want = api.CodeRateLimited
		}
		guess.fails(want, "", "GET", "/v1/products", nil)
	}
	valid.must("GET", "/v1/products", nil, &v1.Products{})
}
