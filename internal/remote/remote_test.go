package remote_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"h5pay/internal/remote"
	"h5pay/internal/v1"
)

const key = "h5pay_the-key-of-a-test"

// call makes a call to a server that responds with a function.
func call(t *testing.T, respond http.HandlerFunc, body, result any) error {
	t.Helper()
	s := httptest.NewServer(respond)
	t.Cleanup(s.Close)
	shop := &remote.Shop{URL: s.URL, Key: key, Scopes: "read and admin", Agent: "h5pay test", Timeout: 5 * time.Second}
	err := shop.Call(context.Background(), http.MethodPost, "/v1/orders/delete?x=1", body, result)
	if err != nil && strings.Contains(err.Error(), key) {
		t.Errorf("the error has the key: %v", err)
	}
	return err
}

func TestCall(t *testing.T) {
	t.Parallel()
	var got v1.OrdersDeleted
	err := call(t, func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		if r.URL.String() != "/v1/orders/delete?x=1" || r.Header.Get("Authorization") != "Bearer "+key || r.Header.Get("User-Agent") != "h5pay test" ||
			r.Header.Get("Content-Type") != "application/json" || string(text) != `{"ids":["a"]}` {
			t.Errorf("%s %v %s", r.URL, r.Header, text)
		}
		io.WriteString(w, `{"deleted":["a"]}`)
	}, v1.DeleteOrders{IDs: []string{"a"}}, &got)
	if err != nil || len(got.Deleted) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

// A call that fails returns a sentence with the remedy, the error of the shop, or *Unavailable with
// the pause.
func TestCallFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status      int
		after, body string
		want        string
		wait        time.Duration // of *Unavailable; -1: another error
	}{
		"a wrong key":      {401, "", `{"code":"unauthenticated","message":"unknown key"}`, "rejects the API key (unknown key)", -1},
		"a scope":          {403, "", `{"code":"scope_missing","message":"admin"}`, "lacks the scope read and admin", -1},
		"rejected":         {400, "", `{"code":"bad_request","message":"ids: want 50 at most"}`, "ids: want 50 at most", -1},
		"too many calls":   {429, "7", `{"code":"rate_limited","message":"later"}`, "429", 7 * time.Second},
		"a long pause":     {503, "86400", `{}`, "503", time.Minute},
		"no number":        {502, "soon", `<html>`, "502", 0},
		"negative":         {503, "-5", `{}`, "503", 0},
		"another server":   {404, "", `<html>`, "is not a shop of h5pay (404", -1},
		"OK, but not JSON": {200, "", `<html>`, "is not a shop of h5pay (200", -1},
	} {
		err := call(t, func(w http.ResponseWriter, _ *http.Request) {
			if test.after != "" {
				w.Header().Set("Retry-After", test.after)
			}
			w.WriteHeader(test.status)
			io.WriteString(w, test.body)
		}, nil, &struct{}{})
		var later *remote.Unavailable
		if is := errors.As(err, &later); err == nil || !strings.Contains(err.Error(), test.want) || is != (test.wait >= 0) || is && later.Wait != test.wait {
			t.Errorf("%s: %v, %+v; want %q and %v", name, err, later, test.want, test.wait)
		}
	}
}

// A redirect is not followed, so that no other server gets the key.
func TestCallFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	t.Cleanup(other.Close)
	err := call(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	}, nil, &struct{}{})
	if err == nil || calls.Load() != 0 {
		t.Errorf("%v, %d calls of the other server", err, calls.Load())
	}
}

// A shop that does not answer, or that breaks off, may answer later.
func TestShopDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for name, respond := range map[string]http.HandlerFunc{
		"no response": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"a part": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, `{"deleted":`)
		},
	} {
		var later *remote.Unavailable
		if err := call(t, respond, nil, &struct{}{}); !errors.As(err, &later) || later.Wait != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
