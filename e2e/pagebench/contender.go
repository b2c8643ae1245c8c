package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	_ "modernc.org/sqlite"

	"h5pay/internal/envfile"
	"h5pay/internal/stack"
	"h5pay/internal/static"
	"h5pay/internal/store"
)

// contender is a site to measure.
type contender struct {
	name  string
	site  http.Handler
	api   http.Handler // nil for a site without calls
	ready string       // a JavaScript expression: whether the program has shown its content
}

// ours is the built site with the signer.
func ours(signer *url.URL) contender {
	return contender{
		name: "h5pay",
		site: static.New(os.DirFS("public")),
		api:  httputil.NewSingleHostReverseProxy(signer),
		// The program has shown the catalogue and its buttons.
		ready: `document.querySelector('[data-product] [data-action="add"]:not([disabled])') !== null`,
	}
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
		name: "hello world",
		site: static.New(os.DirFS(dir)),
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

// startSigner runs the real signer natively, on SQLite with the demo catalogue.
func startSigner(ctx context.Context, dir string) (address *url.URL, stop func(), err error) {
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
	cmd := exec.CommandContext(ctx, binary, "serve")
	cmd.Env = append(os.Environ(), "LISTEN=localhost:"+strconv.Itoa(port), "DB_FILE="+file)
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stderr = io.Discard
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
	return nil, nil, fmt.Errorf("no response from the signer at %s", address)
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
