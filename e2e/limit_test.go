package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"h5pay/internal/api"
	"h5pay/internal/stack"
)

// The rate limits of wrangler.toml apply. An address with too many sign-ins gets 429, while reading
// and WeChat's notifications continue.
func TestRateLimit(t *testing.T) {
	// A separate shop with its own counts, so that other tests are not limited.
	shop, log := startShop(t, stack.ShopConfig{State: t.TempDir()})
	const limit = 300 // per minute
	post := func(path, body string) (*http.Response, string, error) {
		res, err := http.Post(shop.URL+path, "application/json", strings.NewReader(body))
		if err != nil {
			return nil, "", err
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		return res, string(b), err
	}
	var rejected, allowed atomic.Int32
	var crowd sync.WaitGroup
	for range 4 {
		crowd.Go(func() {
			// More than two minutes' worth, because a period may end meanwhile.
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
					rejected.Add(1)
				default:
					t.Errorf("%d %s", res.StatusCode, body)
				}
			}
		})
	}
	crowd.Wait()
	if allowed.Load() < limit || rejected.Load() < 20 {
		t.Errorf("%d allowed, %d rejected\n%s", allowed.Load(), rejected.Load(), log)
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
