package binary

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"h5pay/internal/demo"
	"h5pay/internal/envfile"
	"h5pay/internal/paytest"
	"h5pay/internal/stack"
)

// gate is a proxy that holds one request until it is opened.
type gate struct {
	*httptest.Server
	path    string        // prefix of the request that is held; set it before
	arrived chan struct{} // closed when the request is there
	open    chan struct{} // closed to let it pass
	once    sync.Once
}

// newGate returns a gate in front of a server.
func newGate(t *testing.T, target, path string) *gate {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{path: path, arrived: make(chan struct{}), open: make(chan struct{})}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Host = r.In.Host }}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, g.path) {
			g.once.Do(func() {
				close(g.arrived)
				<-g.open
			})
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { g.CloseClientConnections(); g.Close() })
	return g
}

// shop is a shop with settings of its own, whose simulator runs in the test.
type shop struct {
	*demo.Demo
	dir, config, url string
	token            string // of the operator
}

// newShop writes the settings of a shop, changed by change, and adds products to its database.
func newShop(t *testing.T, change func(s *shop, env map[string]string)) *shop {
	t.Helper()
	env, err := envfile.New("../../.dev.vars.example")
	if err != nil {
		t.Fatal(err)
	}
	port, err := stack.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{dir: t.TempDir(), url: fmt.Sprintf("http://localhost:%d", port), token: env["ADMIN_TOKEN"]}
	if s.Demo, err = demo.Start(demo.Config{Settings: env, ShopURL: s.url, API: "v3", Out: io.Discard}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	for name, value := range s.Vars {
		env[name] = value
	}
	env["LISTEN"] = fmt.Sprintf("localhost:%d", port)
	change(s, env)
	var text strings.Builder
	for name, value := range env {
		fmt.Fprintf(&text, "%s=\"%s\"\n", name, strings.ReplaceAll(value, "\n", ""))
	}
	s.config = filepath.Join(s.dir, "h5pay.env")
	if err := os.WriteFile(s.config, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := start(t, s.dir, nil, "products", "-config", s.config, "-demo").wait(t); err != nil {
		t.Fatal(err)
	}
	return s
}

// start starts the server and waits until it answers.
func (s *shop) start(t *testing.T) *process {
	t.Helper()
	p := start(t, s.dir, nil, "serve", "-config", s.config)
	eventually(t, "the server answers", func() bool {
		res, err := http.Get(s.url + "/api/products")
		if err != nil {
			return false
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("the server answers %s: %s", res.Status, p.stderr.String())
		}
		return true
	})
	return p
}

// buyer returns a buyer who is signed in.
func (s *shop) buyer(t *testing.T) *paytest.Buyer {
	t.Helper()
	b := paytest.NewBuyer(t, s.PhoneURL, s.PhoneURL, s.Demo)
	b.SignIn()
	return b
}

// operator returns the operator.
func (s *shop) operator(t *testing.T) *paytest.Buyer {
	t.Helper()
	b := paytest.NewBuyer(t, s.url, s.PhoneURL, s.Demo)
	b.Token = s.token
	return b
}
