package server_test

import (
	"strings"
	"testing"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/store/storetest"
)

// Another site's page can change nothing, with any call there is. WeChat's
// notifications come without an Origin and are proved by their signature.
func TestEveryChangingCallChecksItsOrigin(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	id := p.Order("tea", 1).Order.ID
	calls := 0
	for _, pattern := range s.Signer.Patterns() {
		method, path, _ := strings.Cut(pattern, " ")
		if strings.HasPrefix(path, "/v1/") {
			continue // no cookie counts there
		}
		for _, header := range []map[string]string{
			{"Origin": "https://evil.example"},
			{"Origin": "null"},
			{"Origin": paytest.ShopURL + ".evil.example"},
			{"Origin": "http://shop.example.com"},
			{"Origin": "https://shop.example.com:8443"},
			{"Origin": ""},
			{"Sec-Fetch-Site": "cross-site"},
			{"Sec-Fetch-Site": "same-site"},
		} {
			r := p.Request(method, strings.ReplaceAll(path, "{id}", id), []byte("{}"))
			r.Header.Del("Origin")
			for name, value := range header {
				r.Header[name] = []string{value}
			}
			before := storetest.Dump(t, s.DB)
			a := p.Send(r)
			changing := method != "GET" && !strings.HasPrefix(path, "/api/notify/")
			if rejected := a.Err.Code == api.CodeForbiddenOrigin; rejected != changing {
				t.Errorf("%s with %v: %d %s", pattern, header, a.Status, a.Body)
			}
			if method != "GET" && storetest.Dump(t, s.DB) != before { // GET asks WeChat
				t.Errorf("%s with %v changed the database", pattern, header)
			}
			calls++
		}
	}
	if calls < 8*11 {
		t.Errorf("only %d calls", calls)
	}
	if len(p.Cookies) == 0 {
		t.Error("signed out")
	}
}
