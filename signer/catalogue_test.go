//go:build !js

package main

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"h5pay/internal/paytest"
)

// With an empty catalogue the log and the health page show how to add products, and each of the
// commands works.
func TestEmptyCatalogueLogsHint(t *testing.T) {
	t.Setenv(dbSetting, filepath.Join(t.TempDir(), "h5pay.db"))
	env := exampleEnv(t)
	for name, value := range env {
		t.Setenv(name, value)
	}
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(addrSetting, l.Addr().String())
	l.Close()
	log := &paytest.Log{}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- listen(ctx, os.Getenv, slog.New(slog.NewTextHandler(log, nil))) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	health := func() string {
		var text string
		eventually(t, "the server answers", func() bool {
			req, err := http.NewRequest("GET", "http://"+os.Getenv(addrSetting)+"/api/health", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+env["ADMIN_TOKEN"])
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				return false
			}
			defer res.Body.Close()
			var b bytes.Buffer
			_, err = b.ReadFrom(res.Body)
			text = b.String()
			return err == nil
		})
		return text
	}
	for where, text := range map[string]string{"the health page": health(), "the log": log.String()} {
		for _, command := range []string{"h5pay products -demo", "h5pay products -sql FILE"} {
			if !strings.Contains(text, command) {
				t.Errorf("%s lacks %q:\n%s", where, command, text)
			}
		}
	}
	// Both commands work while the server runs.
	file := filepath.Join(t.TempDir(), "catalogue.sql")
	insert := "INSERT INTO products (id, name, price, position) VALUES ('%', '茶', 6800, 1);"
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(insert, "%", "a")), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(demo bool, file, stdin, want string) {
		t.Helper()
		var out bytes.Buffer
		err := loadProducts(t.Context(), os.Getenv, demo, file, strings.NewReader(stdin), &out)
		if (err == nil) != (want != "") || !strings.HasPrefix(out.String(), want) {
			t.Errorf("%v, %q: %q, %v", demo, file, &out, err)
		}
	}
	run(false, file, "", "1 product is for sale")
	if text := health(); strings.Contains(text, "no product is for sale") {
		t.Errorf("after it: %s", text)
	}
	run(false, "-", strings.ReplaceAll(insert, "%", "b"), "2 products are for sale")
	run(false, "-", strings.ReplaceAll(insert, "%", "c"), "3 products are for sale")
	run(false, "-", strings.ReplaceAll(insert, "%", "d")+"INSERT INTO nothing", "") // the first statement is rolled back
	run(true, "", "", "10 products are for sale")
	run(false, filepath.Join(t.TempDir(), "none"), "", "")
	t.Setenv("SHOP_URL", "https://shop.example.com")
	run(true, "", "", "")
}
