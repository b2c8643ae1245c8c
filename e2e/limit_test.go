package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"h5pay/internal/api"
	"h5pay/internal/stack"
)

// The limits of wrangler.toml hold: an address that begins too many sign-ins is
// told to wait, while reading goes on, and WeChat is always heard.
func TestRateLimit(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	port, err := stack.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	log := &logBuffer{}
	// Of its own, its counts too, so that nobody else has to wait.
	shop, err := stack.StartShop(t.Context(), stack.ShopConfig{
		Dir: root, Port: port, State: t.TempDir(), EnvFile: world.envFile, Output: log,
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	defer shop.Close()
	const limit = 300 // a minute
	post := func(path, body string) (*http.Response, string, error) {
		res, err := http.Post(shop.URL+path, "application/json", strings.NewReader(body))
		if err != nil {
			return nil, "", err
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		return res, string(b), err
	}
	var refused, allowed atomic.Int32
	var crowd sync.WaitGroup
	for range 4 {
		crowd.Go(func() {
			// Two minutes' worth and some, should one end meanwhile.
			for range (2*limit + 20) / 4 {
				res, body, err := post(api.PathAuthorize, `{"return_to": "/"}`)
				if err != nil {
					t.Error(err)
					return
				}
				var e api.Error
				switch {
				case res.StatusCode == http.StatusOK:
					allowed.Add(1)
				case res.StatusCode == http.StatusTooManyRequests && res.Header.Get("Retry-After") == "60" &&
					json.Unmarshal([]byte(body), &e) == nil && e.Code == api.CodeRateLimited:
					refused.Add(1)
				default:
					t.Errorf("%d %s", res.StatusCode, body)
				}
			}
		})
	}
	crowd.Wait()
	if allowed.Load() < limit || refused.Load() < 20 {
		t.Errorf("%d allowed, %d refused\n%s", allowed.Load(), refused.Load(), log)
	}
	if res, body, err := post(api.PathNotifyPay, "<xml></xml>"); err != nil || res.StatusCode != http.StatusOK || !strings.Contains(body, "FAIL") {
		t.Errorf("a notification: %v %s, %v", res, body, err)
	}
	if res, err := http.Get(shop.URL + api.PathProducts); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("reading: %v, %v", res, err)
	} else {
		res.Body.Close()
	}
}
