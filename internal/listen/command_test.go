package listen_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"h5pay/internal/listen"
	"h5pay/internal/paytest"
	"h5pay/internal/v1"
)

// v1 makes a call with the root token.
func (w *world) v1(method, path, body string, result any) {
	w.T.Helper()
	r := httptest.NewRequest(method, paytest.ShopURL+path, strings.NewReader(body))
	r.Header = http.Header{"Authorization": {"Bearer " + paytest.AdminToken}, "Content-Type": {"application/json"}, "Idempotency-Key": {rand.Text()}}
	status, text := paytest.Serve(w.Handler, r)
	if status/100 != 2 {
		w.T.Fatalf("%s %s: %d %s", method, path, status, text)
	}
	if err := json.Unmarshal(text, result); err != nil {
		w.T.Fatal(err)
	}
}

// The command draws a secret and prints it, and ends with the context.
func TestCommand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key, _ := w.newKey(v1.ScopeRead)
	w.receiver.Now = nil // the command's clock is the machine's
	ctx, cancel := context.WithCancel(t.Context())
	status, stderr := make(chan int, 1), &bytes.Buffer{}
	go func() {
		getenv := func(name string) string { return map[string]string{"H5PAY_KEY": key, "H5PAY_URL": w.url + "/"}[name] }
		status <- listen.Main(ctx, []string{"--forward", w.local}, getenv, &w.printed, stderr)
	}()
	wait(t, "the start", func() bool { return len(w.printed.Lines("events of "+w.url+" go to "+w.local)) == 1 })
	w.receiver.Verify.Secrets = []string{regexp.MustCompile(`whsec_\S+`).FindString(w.printed.String())}
	id := w.PaidOrderOf(w.buyer, "tea").ID
	w.forwarded(1)
	cancel()
	if got := <-status; got != 0 || stderr.Len() > 0 {
		t.Errorf("status %d: %s", got, stderr)
	}
	if text := w.printed.String(); !strings.Contains(text, "-after evt_paid_"+id) || strings.Contains(text, key) {
		t.Errorf("it printed %s", text)
	}
	for _, err := range w.receiver.Rejected() {
		t.Error(err)
	}
}

// A command that cannot work ends with a sentence that has the remedy and no secret.
func TestCommandThatCannotWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key, _ := w.newKey(v1.ScopeRead)
	writer, _ := w.newKey(v1.ScopeWrite)
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, `{"code":"misconfigured","message":"settings"}`, http.StatusServiceUnavailable)
	}))
	t.Cleanup(broken.Close)
	var thief atomic.Bool
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { thief.Store(true) }))
	t.Cleanup(stranger.Close)
	moved := httptest.NewServer(http.RedirectHandler(stranger.URL, http.StatusTemporaryRedirect))
	t.Cleanup(moved.Close)
	forward := []string{"-forward", w.local}
	for name, test := range map[string]struct {
		env    map[string]string
		args   []string
		status int
		says   string
	}{
		"no forward":          {nil, nil, 2, "-forward: want a URL, for example http://localhost:3000/webhook"},
		"forward is no URL":   {nil, []string{"-forward", "localhost:3000"}, 2, `-forward: "localhost:3000" is no URL like http://localhost:3000/webhook`},
		"no key":              {map[string]string{"H5PAY_KEY": ""}, forward, 2, "H5PAY_KEY is missing"},
		"a bad secret":        {map[string]string{"WEBHOOK_SECRET": "whsec_c2hvcnQ="}, forward, 2, "WEBHOOK_SECRET: want whsec_ and the base64 of 24 to 64 bytes"},
		"a shop with a path":  {map[string]string{"H5PAY_URL": w.url + "/v1"}, forward, 2, "want the shop's address alone"},
		"a shop over http":    {map[string]string{"H5PAY_URL": "http://shop.example.com"}, forward, 2, "-shop: \"http://shop.example.com\" would send the API key without encryption: want https"},
		"an unknown flag":     {nil, append([]string{"-froward", "x"}, forward...), 2, "-froward"},
		"an argument":         {nil, append(forward, "now"), 2, `unexpected argument "now"`},
		"a wrong key":         {map[string]string{"H5PAY_KEY": "h5pay_wrong"}, forward, 1, "rejects the API key"},
		"a key without scope": {map[string]string{"H5PAY_KEY": writer}, forward, 1, "lacks the scope read"},
		"no shop":             {map[string]string{"H5PAY_URL": closed.URL}, forward, 1, "does not answer (dial tcp"},
		"another server":      {map[string]string{"H5PAY_URL": other.URL}, forward, 1, "is not a shop of h5pay (404 Not Found"},
		"a redirect":          {map[string]string{"H5PAY_URL": moved.URL}, forward, 1, "is not a shop of h5pay (307 Temporary Redirect"},
		"a broken shop":       {map[string]string{"H5PAY_URL": broken.URL}, forward, 1, "answers 503 Service Unavailable misconfigured"},
		"an unknown event":    {nil, append([]string{"-after", "evt_none"}, forward...), 1, "has no event evt_none: omit -after to begin"},
	} {
		env := map[string]string{"H5PAY_KEY": key, "H5PAY_URL": w.url}
		for name, value := range test.env {
			env[name] = value
		}
		var stdout, stderr bytes.Buffer
		status := listen.Main(t.Context(), test.args, func(name string) string { return env[name] }, &stdout, &stderr)
		text := stderr.String()
		if status != test.status || stdout.Len() > 0 || strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "h5pay listen: ") || !strings.Contains(text, test.says) {
			t.Errorf("%s: status %d, printed %q and %q", name, status, stdout.String(), text)
		}
		for _, secret := range []string{env["H5PAY_KEY"], env["WEBHOOK_SECRET"]} {
			if secret != "" && strings.Contains(text, secret) {
				t.Errorf("%s: the message holds a secret: %s", name, text)
			}
		}
	}
	if thief.Load() {
		t.Error("the API key followed a redirect")
	}
	var help bytes.Buffer
	if status := listen.Main(t.Context(), []string{"-help"}, func(string) string { return "" }, &help, io.Discard); status != 0 || !strings.Contains(help.String(), "-forward URL") {
		t.Errorf("help: status %d, %s", status, &help)
	}
}
