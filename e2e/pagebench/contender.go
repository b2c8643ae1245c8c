package main

import (
	"bytes"
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing/fstest"
	"text/template"
	"time"

	_ "modernc.org/sqlite"

	"h5pay/internal/api"
	"h5pay/internal/envfile"
	"h5pay/internal/stack"
	"h5pay/internal/startpage"
	"h5pay/internal/static"
	"h5pay/internal/store"
	"h5pay/wechat/wechattest"
)

// contender is a site to measure.
type contender struct {
	name  string
	site  http.Handler
	api   http.Handler // nil for a site without calls
	tap   string       // a JavaScript expression: whether a tap on "+" counts; "false" without a catalogue
	ready string       // the same: whether the program has shown its content
	agent string       // the browser's user agent, "" for its own
}

// inWeChat is the shop in WeChat on a phone, where a first visit signs in. The page opens WeChat's
// authorize page, which redirects back with a code.
func inWeChat(c contender) contender {
	for _, place := range wechattest.Environments() {
		if place.Environment == wechattest.Android {
			c.agent = place.UserAgent
		}
	}
	return c
}

// buttons is when the catalogue has buttons that can be tapped, and drawn is when the program has drawn the
// page and waits for nothing.
const (
	buttons = `document.querySelector('[data-product] [data-action="add"]:not([disabled])') !== null`
	drawn   = `document.querySelector('[data-waits="false"]') !== null`
)

// ours is the built site with the signer, which also sends the start page.
func ours(signer *url.URL) contender {
	files := static.New(os.DirFS("public"))
	page := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(signer)
		r.Out.Header.Del("Accept-Encoding") // Cloudflare compresses it
	}}
	return contender{
		name: nameOurs,
		site: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				page.ServeHTTP(w, r)
				return
			}
			files.ServeHTTP(w, r)
		}),
		api:   httputil.NewSingleHostReverseProxy(signer),
		tap:   buttons,
		ready: buttons + " && " + drawn,
	}
}

//go:embed js
var jsFiles embed.FS

// byHand is the same start page in JavaScript without a framework, with the style of ours. It gets
// the catalogue with the page too.
func byHand(ctx context.Context, signer *url.URL) (contender, error) {
	built, err := os.ReadFile(filepath.Join("public", "index.html"))
	if err != nil {
		return contender{}, err
	}
	style := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindSubmatch(built)
	if style == nil {
		return contender{}, errors.New("public/index.html has no style")
	}
	t, err := template.ParseFS(jsFiles, "js/index.html")
	if err != nil {
		return contender{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, signer.String()+api.PathStartPage, nil)
	if err != nil {
		return contender{}, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return contender{}, err
	}
	defer res.Body.Close()
	var parts api.StartPage
	if err := json.NewDecoder(res.Body).Decode(&parts); err != nil {
		return contender{}, fmt.Errorf("reading the catalogue: %w", err)
	}
	var page bytes.Buffer
	if err := t.Execute(&page, map[string]any{"Name": "小铺", "Style": string(style[1])}); err != nil {
		return contender{}, err
	}
	script, err := jsFiles.ReadFile("js/shop.js")
	if err != nil {
		return contender{}, err
	}
	files := fstest.MapFS{
		"index.html": {Data: startpage.Fill(page.Bytes(), parts)},
		"shop.js":    {Data: script},
		"_headers":   {Data: []byte("/*\n  Cache-Control: no-cache\n/shop.js\n  ! Cache-Control\n  Cache-Control: public, max-age=31536000, immutable\n/web/*\n  ! Cache-Control\n  Cache-Control: public, max-age=86400\n")},
	}
	own, shop := static.New(files), static.New(os.DirFS("public"))
	return contender{
		name: nameByHand,
		site: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" || r.URL.Path == "/shop.js" {
				own.ServeHTTP(w, r)
				return
			}
			shop.ServeHTTP(w, r)
		}),
		api:   httputil.NewSingleHostReverseProxy(signer),
		tap:   buttons,
		ready: buttons,
	}, nil
}

// helloWorld is go-app's hello world, built into a folder.
func helloWorld(ctx context.Context, dir string) (contender, error) {
	const pkg = "./e2e/pagebench/hello"
	web := filepath.Join(dir, "web")
	if err := os.MkdirAll(web, 0o755); err != nil {
		return contender{}, err
	}
	if err := command(ctx, nil, "go", "run", pkg, dir); err != nil {
		return contender{}, err
	}
	if err := command(ctx, []string{"GOOS=js", "GOARCH=wasm"}, "go", "build", "-o", filepath.Join(web, "app.wasm"), pkg); err != nil {
		return contender{}, err
	}
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return contender{}, err
	}
	// The wasm_exec.js that go-app writes is older than the toolchain and does not run.
	for from, to := range map[string]string{
		filepath.Join(string(root[:len(root)-1]), "lib/wasm/wasm_exec.js"): filepath.Join(dir, "wasm_exec.js"),
		"public/web/icon.png":     filepath.Join(web, "icon.png"),
		"public/web/icon-512.png": filepath.Join(web, "icon-512.png"),
	} {
		b, err := os.ReadFile(from)
		if err != nil {
			return contender{}, err
		}
		if err := os.WriteFile(to, b, 0o644); err != nil {
			return contender{}, err
		}
	}
	return contender{
		name: nameHello,
		site: static.New(os.DirFS(dir)),
		tap:  "false",
		// go-app removes its loader after the program has drawn.
		ready: `document.readyState !== "loading" && document.querySelector("h1") !== null && document.getElementById("app-wasm-loader") === null`,
	}, nil
}

// command runs a command with this program's output.
func command(ctx context.Context, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", cmd, err)
	}
	return nil
}

// startSigner runs the real signer natively, on SQLite with the demo catalogue. settings replace
// those of the example.
func startSigner(ctx context.Context, dir string, settings map[string]string) (address *url.URL, stop func(), err error) {
	file := filepath.Join(dir, "shop.db")
	if err := seed(ctx, file); err != nil {
		return nil, nil, fmt.Errorf("creating the catalogue: %w", err)
	}
	binary := filepath.Join(dir, "signer")
	if err := command(ctx, nil, "go", "build", "-o", binary, "./signer"); err != nil {
		return nil, nil, err
	}
	port, err := stack.FreePort()
	if err != nil {
		return nil, nil, err
	}
	env, err := envfile.New(".dev.vars.example")
	if err != nil {
		return nil, nil, err
	}
	maps.Copy(env, settings)
	cmd := exec.CommandContext(ctx, binary, "serve")
	cmd.Env = append(os.Environ(), "LISTEN=localhost:"+strconv.Itoa(port), "DB_FILE="+file)
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	stop = func() { cmd.Process.Kill(); cmd.Wait() }
	address = &url.URL{Scheme: "http", Host: "localhost:" + strconv.Itoa(port)}
	for range 100 {
		res, err := http.Get(address.String() + "/api/products")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return address, stop, nil
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	stop()
	return nil, nil, fmt.Errorf("no response from the signer at %s, which says:\n%s", address, &said)
}

func seed(ctx context.Context, file string) error {
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := store.Migrate(ctx, db); err != nil {
		return err
	}
	catalogue, err := os.ReadFile("internal/store/seed.sql")
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, string(catalogue))
	return err
}
