// Package client_test generates a typed client of /v1 from the OpenAPI document and uses
// it against the built Worker.
package client_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/cleanup"
	"h5pay/internal/paytest"
)

func TestMain(m *testing.M) { cleanup.Main(m.Run) }

// root is the project's folder.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// project returns a folder with the client, and the types that openapi-typescript makes of
// the built document.
func project(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"type":"module"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(root(t), "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	run(t, dir, nil, "openapi-typescript", filepath.Join(root(t), "public/v1/openapi.json"), "-o", "schema.d.ts")
	return dir
}

// run runs a command of the project's packages and returns what it prints.
func run(t *testing.T, dir string, env []string, name string, args ...string) []byte {
	t.Helper()
	bin := filepath.Join(root(t), "node_modules/.bin")
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, name), args...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "NODE_NO_WARNINGS=1"), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, stderr.String())
	}
	return out
}

// The client compiles against the types of the document, and the responses of a running shop have
// these types.
func TestTypeScriptClient(t *testing.T) {
	t.Parallel()
	dir := project(t)
	run(t, dir, nil, "tsc", "-p", ".")
	shop := paytest.StartWorker(t, paytest.WorkerConfig{Root: root(t)})
	out := run(t, dir, []string{"SHOP=" + shop.URL, "ROOT_TOKEN=" + shop.Env["ADMIN_TOKEN"]}, "node", "client.ts")
	var got map[string]any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	want := map[string]any{
		"price": 9900.0, "first": "普洱", "events": 0.0, "wrong": []any{400.0, "bad_request", "name"},
		"order": []any{"open", 19800.0, true, "普洱"}, "conflict": []any{"reference_used", true}, "found": []any{true},
		"closed": []any{"closed", []any{"open", "closed"}}, "unpaid": []any{403.0, "scope_missing"},
		"forbidden": []any{403.0, "scope_missing"}, "revoked": true, "after": []any{401.0, "unauthenticated"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// A client that does not follow the document does not compile.
func TestTypesRejectMistakes(t *testing.T) {
	t.Parallel()
	dir := project(t)
	raw, err := os.ReadFile("testdata/client.ts")
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	mistakes := map[string]string{ // by what is right
		`name: "typescript"`:      `nam: "typescript"`,
		`"/v1/products"`:          `"/v1/product"`,
		`price: 9900`:             `price: "9900"`,
		`product.price`:           `product.prise`,
		`trade_types: ["NATIVE"]`: `trade_types: ["CASH"]`,
		`order: "oldest"`:         `order: "old"`,
		`revoked.revoked_at`:      `revoked.revokedAt`,
	}
	lines := map[int]string{} // of the mistakes
	for right, wrong := range mistakes {
		before, after, ok := strings.Cut(text, right)
		if !ok {
			t.Fatalf("client.ts has no %s", right)
		}
		text = before + wrong + after
		lines[strings.Count(before, "\n")+1] = wrong
	}
	if err := os.WriteFile(filepath.Join(dir, "client.ts"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(root(t), "node_modules/.bin/node"), filepath.Join(root(t), "node_modules/typescript/lib/tsc.js"), "-p", ".")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Errorf("it compiles: %s", out)
	}
	for line, mistake := range lines {
		if !strings.Contains(string(out), fmt.Sprintf("client.ts(%d,", line)) {
			t.Errorf("%s compiles: %s", mistake, out)
		}
	}
}
