// Package h5pay holds the checks that concern the whole tree.
package h5pay

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Imports go one way: see README, "How the parts fit".
var importRules = []struct {
	pkg     string
	js      bool     // built for the browser or workerd
	project []string // packages of this project it may depend on
	foreign []string // modules it may depend on, besides the standard library
}{
	{pkg: "h5pay/internal/api"},
	{pkg: "h5pay/internal/wechat"},
	{pkg: "h5pay/internal/wechat/apiv3"},
	{pkg: "h5pay/internal/wechat/apiv3", js: true},
	{pkg: "h5pay/internal/order", project: []string{"h5pay/internal/api"}},
	{pkg: "h5pay/webhook"}, // receivers may copy it
	{pkg: "h5pay/examples/webhook", project: []string{"h5pay/webhook"}},
	{pkg: "h5pay/internal/server", project: []string{
		"h5pay/internal/api", "h5pay/internal/order", "h5pay/internal/wechat", "h5pay/webhook"}},
	{pkg: "h5pay/internal/wechat/wechattest"}, // nothing of ours: it judges the rest
	{pkg: "h5pay/simulator", project: []string{"h5pay/internal/wechat/wechattest"}},
	{pkg: "h5pay/wasmbuild", project: []string{"h5pay/internal/wasmbin"}},
	{pkg: "h5pay/signer/warm", js: true},
	{pkg: "h5pay/signer", js: true, project: []string{
		"h5pay/internal/api", "h5pay/internal/order", "h5pay/internal/server", "h5pay/internal/wechat", "h5pay/signer/warm", "h5pay/webhook"},
		foreign: []string{"github.com/syumai/workers"}},
	{pkg: "h5pay/wasm", js: true, project: []string{"h5pay/internal/api"},
		foreign: []string{"github.com/maxence-charriere/go-app/v9", "github.com/google/uuid", "rsc.io/qr"}},
}

func TestImportRules(t *testing.T) {
	for _, rule := range importRules {
		t.Run(rule.pkg, func(t *testing.T) {
			for _, dep := range goList(t, rule.js, "-deps", "-f", "{{if not .Standard}}{{.ImportPath}} {{with .Module}}{{.Path}}{{end}}{{end}}", rule.pkg) {
				path, module, _ := strings.Cut(dep, " ")
				if path == rule.pkg || slices.Contains(rule.project, path) || slices.Contains(rule.foreign, module) {
					continue
				}
				t.Errorf("%s must not depend on %s", rule.pkg, path)
			}
		})
	}
}

// The JavaScript boundary stays in the files that say so.
func TestOnlyJSFilesImportJS(t *testing.T) {
	for _, pkg := range []string{"h5pay/signer", "h5pay/signer/warm", "h5pay/wasm"} {
		dir := strings.TrimPrefix(pkg, "h5pay/")
		for _, file := range goList(t, true, "-f", "{{range .GoFiles}}{{.}}\n{{end}}", pkg) {
			if strings.HasSuffix(file, "_js.go") {
				continue
			}
			src, err := os.ReadFile(dir + "/" + file)
			if err != nil {
				t.Fatal(err)
			}
			for _, forbidden := range []string{`"syscall/js"`, `"unsafe"`, `"github.com/syumai/workers`} {
				if strings.Contains(string(src), forbidden) {
					t.Errorf("%s/%s imports %s; only *_js.go files may", dir, file, forbidden)
				}
			}
		}
	}
}

// crypto/rsa and crypto/x509 would make the Worker a quarter larger, and a signature
// ten times as dear: docs/rsa.md.
func TestAPIv3LinksNoRSAInTheWorker(t *testing.T) {
	for _, dep := range goList(t, true, "-deps", "h5pay/internal/wechat/apiv3") {
		for _, forbidden := range []string{"crypto/rsa", "crypto/x509", "crypto/tls", "encoding/pem", "net/http"} {
			if dep == forbidden {
				t.Errorf("built for js, apiv3 depends on %s", dep)
			}
		}
	}
}

// Every file that the documents link to is there.
func TestDocumentLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	documents, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(documents, more...) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", name, m[1])
			}
		}
	}
}

// goList runs `go list` and returns its lines.
func goList(t *testing.T, js bool, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Env = os.Environ()
	if js {
		cmd.Env = append(cmd.Env, "GOOS=js", "GOARCH=wasm")
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	var lines []string
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// What is built is not kept: a binary that slips into a commit stays in the
// history for ever.
func TestNothingBuiltIsCommitted(t *testing.T) {
	files, err := exec.Command("git", "ls-files", "-z").Output()
	if err != nil {
		t.Fatal(err)
	}
	for file := range strings.SplitSeq(strings.TrimRight(string(files), "\x00"), "\x00") {
		if filepath.Ext(file) == ".wasm" {
			t.Errorf("%s is committed", file)
		}
	}
}
