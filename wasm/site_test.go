//go:build !js

package main

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
)

// Every code the signer can answer has words of its own, and a way out.
func TestTroublesForEveryCode(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../internal/api/error.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Type == nil {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); ok && name.Name == "Code" {
			c, _ := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if _, ok := troubles[api.Code(c)]; !ok {
				t.Errorf("no words for %s", c)
			}
		}
		return true
	})
	if troubleOf("made up") != troubles[api.CodeInternal] {
		t.Error("an unknown code has no words")
	}
}

// html renders a screen in the state that set leaves it in.
func html(set func(b *fake) app.UI, t *testing.T) string {
	t.Helper()
	return app.HTMLString(set(newFake(t, "https://shop.example/pay?order=o1")))
}

func TestScreens(t *testing.T) {
	order := api.Order{
		ID: "o1", Status: api.StatusPaid, Total: 13600, PaidAt: 1795434865000, PaymentNo: "4200000000202611230000000001",
		Items: []api.OrderLine{{Name: "茶 <b>", Price: 6800, Quantity: 2}},
	}
	pending := order
	pending.Status = api.StatusPending
	failed := order
	failed.Status = api.StatusFailed
	for _, test := range []struct {
		name   string
		screen func(b *fake) app.UI
		has    []string
		hasNot []string
	}{
		{"shop, loading", func(b *fake) app.UI { return newShopPage(b).Render() },
			[]string{"aria-busy", "skeleton"}, []string{"data-outside"}},
		{"shop, outside", func(b *fake) app.UI {
			p := newShopPage(b)
			p.place, p.products = outside, []api.Product{{ID: "tea", Name: "茶", Price: 6800}}
			return p.Render()
		}, []string{"data-outside", "请在微信中打开", `data-product="tea"`, "68.00"}, nil},
		{"shop, empty", func(b *fake) app.UI {
			p := newShopPage(b)
			p.products = []api.Product{}
			return p.Render()
		}, []string{textEmpty}, []string{"skeleton"}},
		{"pay", func(b *fake) app.UI {
			p := newPayPage(b)
			p.order = &pending
			return p.Render()
		}, []string{"136.00", `data-action="pay"`, "茶 &lt;b&gt;", `disabled="false"`}, nil},
		{"paying", func(b *fake) app.UI {
			p := newPayPage(b)
			p.order, p.paying = &pending, true
			return p.Render()
		}, []string{textPaying}, []string{`disabled="false"`}},
		{"an error", func(b *fake) app.UI {
			p := newPayPage(b)
			p.err = &api.Error{Code: api.CodeNotFound, RequestID: "request-1"}
			return p.Render()
		}, []string{`data-error="not_found"`, "<button", "request-1"}, nil},
		{"another error", func(b *fake) app.UI {
			p := newPayPage(b)
			p.err = errors.New("not the signer's")
			return p.Render()
		}, []string{"data-error", "<button"}, []string{"not the signer"}},
		{"result, confirming", func(b *fake) app.UI {
			p := newResultPage(b)
			p.order, p.watching = &pending, true
			return p.Render()
		}, []string{`data-status="confirming"`}, []string{textPaid}},
		{"result, still", func(b *fake) app.UI {
			p := newResultPage(b)
			p.order = &pending
			return p.Render()
		}, []string{`data-status="still"`, textAskAgain}, []string{textPaid}},
		{"result, paid", func(b *fake) app.UI {
			p := newResultPage(b)
			p.order = &order
			return p.Render()
		}, []string{`data-status="paid"`, textPaid, "2026-11-23 19:54:25", order.PaymentNo}, nil},
		{"result, failed", func(b *fake) app.UI {
			p := newResultPage(b)
			p.order = &failed
			return p.Render()
		}, []string{`data-status="failed"`, textClosed}, []string{textPaid}},
	} {
		got := html(test.screen, t)
		for _, part := range test.has {
			if !strings.Contains(got, part) {
				t.Errorf("%s lacks %q:\n%s", test.name, part, got)
			}
		}
		for _, part := range test.hasNot {
			if strings.Contains(got, part) {
				t.Errorf("%s has %q:\n%s", test.name, part, got)
			}
		}
	}
}

func TestWriteSite(t *testing.T) {
	routes()
	out := t.TempDir()
	if err := os.CopyFS(filepath.Join(out, "web"), os.DirFS("../public/web")); err != nil {
		t.Fatal(err)
	}
	if err := writeSite(out); err != nil {
		t.Fatal(err)
	}
	first, err := siteVersion(out)
	if err != nil {
		t.Fatal(err)
	}
	if worker, err := os.ReadFile(filepath.Join(out, "app-worker.js")); err != nil || !bytes.Contains(worker, []byte(first)) {
		t.Errorf("the service worker does not have the version: %v", err)
	}
	if err := os.WriteFile(filepath.Join(out, "web", "app.css"), []byte("/* changed */"), 0o644); err != nil {
		t.Fatal(err)
	}
	if second, err := siteVersion(out); err != nil || second == first {
		t.Errorf("a changed file leaves the version at %s: %v", second, err)
	}

	if index, err := os.ReadFile(filepath.Join(out, "index.html")); err != nil || !bytes.Contains(index, []byte(`aria-hidden="true"`)) || bytes.Contains(index, []byte("aria-hidden>")) {
		t.Errorf("hidden things are not hidden before the program runs: %v", err)
	}

	// No asset from another host, and nothing of the machine that built it.
	hosts := regexp.MustCompile(`(?:https?:)?//[a-zA-Z0-9.-]+\.[a-z]{2,}[^"'\s)]*|127\.0\.0\.1`)
	err = filepath.WalkDir(out, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.Contains(name, "/web/") || filepath.Base(name) == "wasm_exec.js" {
			return err
		}
		b, err := os.ReadFile(name)
		for _, found := range hosts.FindAllString(string(b), -1) {
			if u, err := url.Parse(found); err == nil && u.Host == "www.w3.org" {
				continue
			}
			t.Errorf("%s refers to %s", filepath.Base(name), found)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
