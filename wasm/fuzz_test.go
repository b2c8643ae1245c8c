package main

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzOrderParam: orderParam returns "" or an ID that stays within its place in a path.
func FuzzOrderParam(f *testing.F) {
	for _, seed := range []string{"", "order=abc", "order=..%2f..%2fadmin", "order=a&order=b", "order=%zz", "a=1;order=x", "order=%E8%8C%B6", "order=a%00", "order=" + strings.Repeat("a", 65)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		id := orderParam(query)
		if len(id) > 64 || id != url.PathEscape(id) || strings.ContainsAny(id, "./?#%\\") {
			t.Fatalf("%q becomes %q", query, id)
		}
	})
}

// FuzzTakeAuthResponse: afterwards the address has neither code nor state. The path and the rest of
// the query are unchanged.
func FuzzTakeAuthResponse(f *testing.F) {
	for _, seed := range []string{"", "code=c&state=s", "order=o&code=c&state=s&code=d", "code", "state=%zz&x=1", "code=a%26b&&", "?code=c", "code=c&b=//evil.example", "Code=1&code=2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		if strings.ContainsFunc(query, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '#' }) {
			return // browsers escape these
		}
		b := newFake(t, "https://shop.example/pay")
		b.address.RawQuery = query
		l := takeAuthResponse(b)
		var rest []string
		found := false
		for pair := range strings.SplitSeq(query, "&") {
			if name, _, _ := strings.Cut(pair, "="); name == "code" || name == "state" {
				found = true
			} else {
				rest = append(rest, pair)
			}
		}
		want := query
		if found {
			want = strings.Join(rest, "&")
		}
		if b.address.Host != "shop.example" || b.address.Path != "/pay" || b.address.RawQuery != want {
			t.Fatalf("%q became %s", query, b.address)
		}
		if !found && l != (authResponse{}) {
			t.Fatalf("%q becomes %+v", query, l)
		}
	})
}
