package h5pay

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A reader of one file in a circle needs all files of the circle. Two files may call each other.
func TestFilesCallInOneDirection(t *testing.T) {
	for _, build := range []struct {
		js       bool
		patterns []string
	}{
		{js: false, patterns: []string{"./..."}},
		{js: true, patterns: []string{"./wasm/...", "./signer/..."}},
	} {
		for _, pkg := range checkPackages(t, build.js, build.patterns) {
			for _, circle := range circles(pkg.calls()) {
				t.Errorf("%s: %d files call each other in a circle: %s", pkg.ImportPath, len(circle), strings.Join(circle, ", "))
			}
		}
	}
}

func TestCirclesAreFound(t *testing.T) {
	t.Parallel()
	pkg := checkedPackage{ImportPath: "p", fset: token.NewFileSet()}
	for name, text := range map[string]string{
		"a.go":    "package p; func A() { B() }",
		"b.go":    "package p; func B() { T{}.C() }",
		"c.go":    "package p; type T struct{}; func (T) C() { f := D; f() }",
		"d.go":    "package p; func D() { A(); E() }",
		"e.go":    "package p; func E() { F() }; type I interface{ G() }",
		"f.go":    "package p; func F() { E2() }; func G(i I) { i.G() }",
		"e2.go":   "package p; func E2() { F() }",
		"main.go": "package p; func Main() { A() }",
	} {
		f, err := parser.ParseFile(pkg.fset, name, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		pkg.files = append(pkg.files, f)
	}
	if err := pkg.check(nil); err != nil {
		t.Fatal(err)
	}
	want := [][]string{{"a.go", "b.go", "c.go", "d.go"}}
	if diff := cmp.Diff(want, circles(pkg.calls())); diff != "" {
		t.Errorf("circles (-want +got):\n%s", diff)
	}
}

// checkedPackage is a package of this project with its types.
type checkedPackage struct {
	ImportPath, Dir, Export string
	GoFiles                 []string

	fset  *token.FileSet
	files []*ast.File
	types *types.Package
	info  types.Info
}

// checkPackages type-checks the packages of this project that match the patterns or that they import.
func checkPackages(t *testing.T, js bool, patterns []string) []*checkedPackage {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles"}, patterns...)...)
	cmd.Env = os.Environ()
	if js {
		cmd.Env = append(cmd.Env, "GOOS=js", "GOARCH=wasm")
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	exports := map[string]string{}
	var own []*checkedPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		pkg := &checkedPackage{fset: token.NewFileSet()}
		if err := d.Decode(pkg); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("reading the output of %s: %v", cmd, err)
		}
		exports[pkg.ImportPath] = pkg.Export
		if pkg.ImportPath == "h5pay" || strings.HasPrefix(pkg.ImportPath, "h5pay/") {
			own = append(own, pkg)
		}
	}
	for _, pkg := range own {
		for _, name := range pkg.GoFiles {
			f, err := parser.ParseFile(pkg.fset, filepath.Join(pkg.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			pkg.files = append(pkg.files, f)
		}
		if err := pkg.check(func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }); err != nil {
			t.Fatal(err)
		}
	}
	return own
}

func (p *checkedPackage) check(lookup importer.Lookup) (err error) {
	p.info.Uses = map[*ast.Ident]types.Object{}
	p.types, err = (&types.Config{Importer: importer.ForCompiler(p.fset, "gc", lookup)}).Check(p.ImportPath, p.fset, p.files, &p.info)
	return err
}

// calls returns, for each file, the other files whose functions and methods it uses. The use of an
// interface's method is no call.
func (p *checkedPackage) calls() map[string][]string {
	all := map[string][]string{}
	for id, obj := range p.info.Uses {
		if obj.Pkg() != p.types {
			continue
		}
		f, ok := obj.(*types.Func)
		if !ok {
			continue
		}
		if recv := f.Signature().Recv(); recv != nil && types.IsInterface(recv.Type()) {
			continue
		}
		from, to := p.file(id.Pos()), p.file(f.Pos())
		if from != to && !slices.Contains(all[from], to) {
			all[from] = append(all[from], to)
		}
	}
	return all
}

func (p *checkedPackage) file(at token.Pos) string {
	return filepath.Base(p.fset.Position(at).Filename)
}

// circles returns the sets of more than two files that reach each other.
func circles(calls map[string][]string) [][]string {
	reach := map[string]map[string]bool{}
	for file := range calls {
		reach[file] = map[string]bool{}
		for next := slices.Clone(calls[file]); len(next) > 0; next = next[1:] {
			if !reach[file][next[0]] {
				reach[file][next[0]] = true
				next = append(next, calls[next[0]]...)
			}
		}
	}
	var all [][]string
	seen := map[string]bool{}
	for _, file := range slices.Sorted(maps.Keys(calls)) {
		var circle []string
		for _, other := range slices.Sorted(maps.Keys(reach[file])) {
			if reach[other][file] {
				circle = append(circle, other)
			}
		}
		if len(circle) > 2 && !seen[file] {
			all = append(all, circle)
		}
		for _, other := range circle {
			seen[other] = true
		}
	}
	return all
}
