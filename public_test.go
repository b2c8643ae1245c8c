package h5pay

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// publicPackages are for other modules too: see README, "Use a part of it".
var publicPackages = []string{"wechat", "wechat/apiv3", "wechat/wechattest", "webhook"}

// examples/checkout is a module of its own. Its tests import the public packages as in README.md,
// by a replace and by a vendored copy. No network is needed.
func TestAnotherModuleUsesThePublicPackages(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("examples/checkout")); err != nil {
		t.Fatal(err)
	}
	run := func(flags string, args ...string) string {
		t.Helper()
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS="+flags, "GOPROXY=off", "GOWORK=off")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s with GOFLAGS=%s: %v\n%s", cmd, flags, err, out)
		}
		return string(out)
	}
	run("-mod=mod", "mod", "edit", "-replace", "h5pay="+root)
	for _, flags := range []string{"-mod=mod", "-mod=vendor"} {
		if flags == "-mod=vendor" {
			run("-mod=mod", "mod", "vendor")
			run("-mod=mod", "vet", "./...")
		}
		if out := run(flags, "test", "-count=1", "-v", "./..."); !strings.Contains(out, "--- PASS: TestPayment") {
			t.Errorf("%s: no payment was made:\n%s", flags, out)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "vendor/h5pay/wechat/wechattest")); err != nil {
		t.Error(err)
	}
	// They bring no other module along.
	if out := run("-mod=mod", "list", "-deps", "-test", "-f", "{{with .Module}}{{.Path}}{{end}}", "./..."); strings.Join(uniqueFields(out), " ") != "h5pay shop.example/checkout" {
		t.Errorf("modules: %v", uniqueFields(out))
	}
}

// uniqueFields returns the words of a text, sorted, each once.
func uniqueFields(text string) []string {
	seen := map[string]bool{}
	for _, word := range strings.Fields(text) {
		seen[word] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// Every exported name of a public package has a comment that begins with it.
func TestPublicPackagesAreDocumented(t *testing.T) {
	t.Parallel()
	for _, dir := range publicPackages {
		pkg, examples := readPackage(t, dir)
		if len(pkg.Doc) < 200 {
			t.Errorf("%s: the package's documentation has %d bytes", dir, len(pkg.Doc))
		}
		if examples == 0 && (dir == "wechat" || dir == "wechat/wechattest") {
			t.Errorf("%s has no runnable example", dir)
		}
		named := func(name, comment string) {
			if !strings.HasPrefix(strings.TrimPrefix(strings.TrimPrefix(comment, "A "), "An "), name) {
				t.Errorf("%s.%s: want a comment that begins with the name, got %.60q", dir, name, comment)
			}
		}
		for _, f := range pkg.Funcs {
			named(f.Name, f.Doc)
		}
		for _, typ := range pkg.Types {
			named(typ.Name, typ.Doc)
			for _, f := range append(typ.Funcs, typ.Methods...) {
				switch f.Name {
				case "Error", "String", "Unwrap", "GoString", "Format", "LogValue", "MarshalJSON", "MarshalText", "Is":
					continue // the interface documents them
				}
				named(f.Name, f.Doc)
			}
		}
		var values []*doc.Value
		values = append(append(values, pkg.Consts...), pkg.Vars...)
		for _, typ := range pkg.Types {
			values = append(append(values, typ.Consts...), typ.Vars...)
		}
		for _, v := range values {
			if v.Doc == "" && !eachCommented(v.Decl) {
				t.Errorf("%s: %v have no comment", dir, v.Names)
			}
		}
	}
}

// eachCommented reports whether each constant or variable of a declaration has a
// comment of its own.
func eachCommented(decl *ast.GenDecl) bool {
	for _, spec := range decl.Specs {
		if v := spec.(*ast.ValueSpec); v.Doc == nil && v.Comment == nil {
			return false
		}
	}
	return true
}

// readPackage returns the documentation of a package, and how many runnable examples
// it has.
func readPackage(t *testing.T, dir string) (*doc.Package, int) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var sources, tests []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "_test.go") {
			tests = append(tests, f)
		} else if !strings.HasSuffix(name, "_js.go") {
			sources = append(sources, f)
		}
	}
	examples := 0
	for _, e := range doc.Examples(tests...) {
		if e.Output != "" {
			examples++
		}
	}
	pkg, err := doc.NewFromFiles(fset, sources, "h5pay/"+dir)
	if err != nil {
		t.Fatal(err)
	}
	return pkg, examples
}
