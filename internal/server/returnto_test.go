package server

import (
	"net/url"
	"strings"
	"testing"
)

func TestReturnTo(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"/":                           "/",
		"/pay":                        "/pay",
		"/orders/":                    "/orders/",
		"/pay?order=abc":              "/pay?order=abc",
		"/pay?b=2&a=1":                "/pay?a=1&b=2",
		"/pay?code=old&state=s&x=1":   "/pay?x=1",
		"/?code=old":                  "/",
		"/%E8%8C%B6":                  "/%E8%8C%B6",
		"/pay?next=https%3A%2F%2Fx.y": "/pay?next=https%3A%2F%2Fx.y",
		"/apiary":                     "/apiary",

		"":                       "",
		"pay":                    "",
		"?x=1":                   "",
		"//evil.example":         "",
		"//evil.example/pay":     "",
		"///evil.example":        "",
		"/\\evil.example":        "",
		"\\\\evil.example":       "",
		"/%5cevil.example":       "",
		"//":                     "",
		"/%2f":                   "",
		"/%2fevil.example":       "",
		"/a/../..//evil.example": "",
		"/./pay":                 "",
		"/%2e%2e/pay":            "",
		"/a//b":                  "",
		"https://evil.example/":  "",
		"http:/pay":              "",
		"javascript:alert(1)":    "",
		"/pay#wechat_redirect":   "",
		"/pay#":                  "",
		"/pay\n":                 "",
		"/\tpay":                 "",
		" /pay":                  "",
		"/pay%0d%0aSet-Cookie:x": "",
		"/pay%00":                "",
		"/茶":                     "",
		"/pay?x=%zz":             "",
		"/pay?a;b":               "",
		"/%zz":                   "",
		"/api":                   "",
		"/api/orders":            "",
		"/%61pi/session":         "",
		"/api/":                  "",

		// Paths that browsers, proxies and people read differently.
		"/%2f%2fevil.example":               "",
		"/%5c%5cevil.example":               "",
		"/%2e%2e%2f%2fevil.example":         "",
		"/a%2f..%2f/evil.example":           "",
		"/pay/..%2f..%2f":                   "",
		"/.%2e/pay":                         "",
		"/%09/evil.example":                 "",
		"/\t/evil.example":                  "",
		"/\r\n/evil.example":                "",
		"/\x00/evil.example":                "",
		"\x01//evil.example":                "",
		"/%7f":                              "",
		"\u2215\u2215evil.example":          "", // a division slash
		"/\uff0fevil.example":               "", // a slash of full width
		"\u3000//evil.example":              "",
		"/\u202eelpmaxe.live":               "",
		"HTTPS:evil.example":                "",
		"https:/\\evil.example":             "",
		"//user:pw@evil.example/":           "",
		"data:text/html,x":                  "",
		"/%EF%BC%8F%EF%BC%8Fevil.example":   "/%EF%BC%8F%EF%BC%8Fevil.example", // a strange path of the shop
		"/@evil.example":                    "/@evil.example",
		"/:80/evil.example":                 "/:80/evil.example",
		"/?//evil.example":                  "/?%2F%2Fevil.example=",
		"/?next=//evil.example&state=mine":  "/?next=%2F%2Fevil.example",
		"/?%63ode=theirs&CODE=x&st%61te=s":  "/?CODE=x",
		"/?x=%0d%0aSet-Cookie:%20a":         "/?x=%0D%0ASet-Cookie%3A+a",
		"/pay?order=a&order=b":              "/pay?order=a&order=b",
		"/" + strings.Repeat("a", 512):      "",
		"/?a=" + strings.Repeat("%25", 168): "/?a=" + strings.Repeat("%25", 168),
		"/?a=" + strings.Repeat("!", 500):   "", // over 512 once it is encoded
		"/?" + strings.Repeat("a=1&", 1):    "/?a=1",
	} {
		got, err := parseReturnTo(raw)
		if (err == nil) != (want != "") || got != want {
			t.Errorf("%q: %q, %v; want %q", raw, got, err, want)
		}
	}
}

// Every accepted path leads to the shop's own host, appended to the origin and as a link on a page.
// It is accepted again unchanged.
func FuzzReturnTo(f *testing.F) {
	for _, s := range []string{"/", "/pay?order=1", "//x", "/\\x", "/%2f%2fx", "/a?b=//c", "/..;/", "/a%3fb", "/@x", "/:80", "/a;b=c?d"} {
		f.Add(s)
	}
	base, err := url.Parse("https://shop.example.com/deep/page")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := parseReturnTo(raw)
		if err != nil {
			return
		}
		link, err := base.Parse(got)
		if err != nil {
			t.Fatalf("%q became %q: %v", raw, got, err)
		}
		whole, err := url.Parse("https://shop.example.com" + got)
		if err != nil {
			t.Fatalf("%q became %q: %v", raw, got, err)
		}
		for _, u := range []*url.URL{link, whole} {
			if u.Scheme != "https" || u.Host != "shop.example.com" || u.User != nil || u.Fragment != "" ||
				strings.HasPrefix(u.Path, "/api/") || u.Query().Has("code") || u.Query().Has("state") {
				t.Fatalf("%q became %q, which leads to %s", raw, got, u)
			}
		}
		if strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' || r == '#' }) {
			t.Fatalf("%q became %q", raw, got)
		}
		if again, err := parseReturnTo(got); err != nil || again != got {
			t.Fatalf("%q became %q, then %q, %v", raw, got, again, err)
		}
	})
}
