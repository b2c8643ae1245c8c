package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/cleanup"
	"h5pay/internal/wasmbin"
)

// TestMain ends every process that a test started.
func TestMain(m *testing.M) { cleanup.Main(m.Run) }

func TestBuildOmits(t *testing.T) {
	for _, test := range []struct {
		kind, pkg string
		there     string   // a function that the program has
		left      []string // functions that it does not have
	}{
		{"worker", "h5pay/signer", "net/http.(*ServeMux).ServeHTTP",
			[]string{"crypto/x509.", "crypto/internal/fips140/nistec.", "net/http.(*http2"}},
		{"page", "h5pay/wasm", "go-app/v9/pkg/app.RunWhenOnBrowser",
			[]string{"net/http.(*", "mime.", "regexp/syntax.", "text/template.(*", "crypto/internal/fips140", "crypto/sha1.blockGeneric"}},
	} {
		t.Run(test.kind, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "program.wasm")
			if err := build(out, kinds[test.kind], "", test.pkg); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			// The binary contains the names of all functions.
			if !bytes.Contains(b, []byte(test.there)) {
				t.Errorf("%s is not there", test.there)
			}
			for _, left := range test.left {
				if bytes.Contains(b, []byte(left)) {
					t.Errorf("%s is still there", left)
				}
			}
			m, err := wasmbin.Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			if len(m.Data) > 100 {
				t.Errorf("%d data segments: the binary is not packed", len(m.Data))
			}
			if dir, err := os.Getwd(); err != nil || bytes.Contains(b, []byte(filepath.Dir(dir))) {
				t.Errorf("the binary names a folder of this machine (%v)", err)
			}
		})
	}
}

func TestFailedBuildNamesTheFix(t *testing.T) {
	out := filepath.Join(t.TempDir(), "none.wasm")
	if err := build(out, kinds["page"], "", "h5pay/none"); err == nil || !strings.Contains(err.Error(), "wasmbuild/crypto/tls") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("it left a binary")
	}
}

// Programs built for the page run like others: one uses random numbers, and one uses all of the
// runtime's function tables.
func TestProgramsOfAPageRun(t *testing.T) {
	for _, pkg := range []string{"random", "strain"} {
		t.Run(pkg, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "program.wasm")
			if err := build(out, kinds["page"], "", "h5pay/internal/cmd/wasmbuild/testdata/"+pkg); err != nil {
				t.Fatal(err)
			}
			if got := runWasm(t, out); got != "ok\n" {
				t.Errorf("it says %s", got)
			}
		})
	}
}

// A trace of a Worker has the lines of the project's functions, and only the names of others.
func TestTraceOfAWorker(t *testing.T) {
	out := filepath.Join(t.TempDir(), "program.wasm")
	if err := build(out, kinds["worker"], "", "h5pay/internal/cmd/wasmbuild/testdata/lines"); err != nil {
		t.Fatal(err)
	}
	const want = `main.print main.go:34
main.called main.go:30
main.sorted.func1 main.go:24
sort.insertionSort_func ?:0
sort.pdqsort_func ?:0
sort.Slice ?:0
main.sorted main.go:21
sync.(*Once).doSlow ?:0
sync.(*Once).Do ?:0
main.main main.go:15
`
	if diff := cmp.Diff(want, runWasm(t, out)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// runWasm runs a program with the project's Node.
func runWasm(t *testing.T, file string) string {
	t.Helper()
	root, err := findRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	node, err := filepath.Abs("../node_modules/.bin")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(root, "lib", "wasm", "go_js_wasm_exec"), file)
	cmd.Env = append(os.Environ(), "PATH="+node+string(os.PathListSeparator)+os.Getenv("PATH"))
	got, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, got)
	}
	return string(got)
}

// A page has the functions of first.txt compiled before it starts its program. It calls each in an
// instance that is not used. Nearly all calls end with an error at once, and the program still runs.
func TestFunctionsThatRunFirst(t *testing.T) {
	const list = "../../../wasm/first.txt"
	out := filepath.Join(t.TempDir(), "program.wasm")
	if err := build(out, kinds["page"], list, "h5pay/wasm"); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Split(strings.TrimSpace(string(b)), "\n")
	const script = `
		const fs = require("node:fs"), calls = {ended: 0, trapped: 0};
		const { compileFirst } = new Function(fs.readFileSync("../../../wasm/site/compile.js", "utf8") + "; return { compileFirst };")();
		const module = new WebAssembly.Module(fs.readFileSync(process.argv[1]));
		const { Instance } = WebAssembly;
		WebAssembly.Instance = function (module, imports) {
			const { exports } = new Instance(module, imports);
			const table = { get: (i) => (...args) => { try { exports.table.get(i)(...args); calls.ended++; } catch (err) { calls.trapped++; throw err; } } };
			return { exports: { table, sp: exports.sp } };
		};
		compileFirst(module);
		console.log(JSON.stringify(calls));`
	cmd := exec.Command("../../../node_modules/.bin/node", "-e", script, out)
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var calls struct{ Ended, Trapped int }
	if err := json.Unmarshal(text, &calls); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if n := calls.Ended + calls.Trapped; n < len(names)*8/10 || calls.Ended > n/10 {
		t.Errorf("%+v for %d names; if the program has others: make first", calls, len(names))
	}
	small := filepath.Join(t.TempDir(), "small.wasm")
	if err := build(small, kinds["page"], list, "h5pay/internal/cmd/wasmbuild/testdata/random"); err != nil {
		t.Fatal(err)
	}
	if got := runWasm(t, small); got != "ok\n" {
		t.Errorf("a program with the list says %s", got)
	}
}

func TestReplacePackage(t *testing.T) {
	there, replacement, empty := t.TempDir(), t.TempDir(), t.TempDir()
	for _, name := range []string{there + "/a.go", there + "/b.go", there + "/b_test.go", replacement + "/b.go", replacement + "/c.go"} {
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	replace := map[string]string{}
	if err := replacePackage(replace, there, replacement); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		filepath.Join(there, "a.go"): "",
		filepath.Join(there, "b.go"): filepath.Join(replacement, "b.go"),
		filepath.Join(there, "c.go"): filepath.Join(replacement, "c.go"),
	}
	if diff := cmp.Diff(want, replace); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := replacePackage(map[string]string{}, empty, replacement); err == nil {
		t.Error("a folder without Go files was replaced")
	}
}

// A toolchain that was downloaded because of go.mod is in the module cache.
func TestFindRootOutsideOfTheModuleCache(t *testing.T) {
	root, err := findRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	fetched := filepath.Join(cache, "toolchain")
	if err := os.Symlink(root, fetched); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOMODCACHE", cache)
	t.Setenv("GOROOT", fetched)
	dir := t.TempDir()
	got, err := findRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Dir(got) != dir {
		t.Errorf("the root is %s", got)
	}
	if _, err := os.Stat(filepath.Join(got, "src", "crypto", "tls", "conn.go")); err != nil {
		t.Error(err)
	}
}
