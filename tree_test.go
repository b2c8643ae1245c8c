// Package h5pay contains the checks of the whole tree.
package h5pay

import (
	"errors"
	"go/version"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

// oldestGo is the oldest Go without a known vulnerability that the project reaches. A Range header
// costs 346 ms of CPU with 1.26.8 and 10 ms with 1.26.10.
const oldestGo = "go1.26.10"

func TestToolchain(t *testing.T) {
	text, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^go (.+)$`).FindSubmatch(text)
	if m == nil {
		t.Fatal("go.mod has no go line")
	}
	wanted := "go" + string(m[1])
	if version.Compare(wanted, oldestGo) < 0 {
		t.Errorf("go.mod accepts %s, want %s or newer", wanted, oldestGo)
	}
	if version.Compare(runtime.Version(), wanted) < 0 {
		t.Errorf("%s runs this test, and go.mod wants %s", runtime.Version(), wanted)
	}
	// The toolchain of the Makefile's commands, including wasmbuild.
	out, err := exec.Command("go", "env", "GOVERSION").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(out)); version.Compare(got, wanted) < 0 {
		t.Errorf("%s builds the project, and go.mod wants %s", got, wanted)
	}
}

// The Go runtime for JavaScript has to be that of the compiler. Make before 4.4 does not export variables
// to $(shell), so the Makefile names the toolchain there.
func TestMakefileGetsItsFilesFromTheCompiler(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go"), []byte("#!/bin/sh\necho /toolchain-$GOTOOLCHAIN\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("make", "--no-print-directory", "--eval", "wasmexec: ; @echo $(WASMEXEC)", "wasmexec")
	cmd.Env = append(os.Environ(), "GOTOOLCHAIN=local", "PATH="+dir+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if want := "/toolchain-auto/lib/wasm/wasm_exec.js\n"; err != nil || string(out) != want {
		t.Errorf("got %q, %v, want %q", out, err, want)
	}
}

// importRules lists the packages that each package may import: see README, "How the parts fit".
// Only e2e has no rule: it may import everything, and no rule names it.
var importRules = []struct {
	pkg     string   // or a pattern of go list that ends with /...
	js      bool     // built for the browser or workerd
	direct  bool     // the rule is about its own imports, whose dependencies have their own rules
	project []string // packages of this project it may depend on
	foreign []string // modules it may depend on, besides the standard library
}{
	{pkg: "h5pay/internal/address"},
	{pkg: "h5pay/internal/alphabet"},
	{pkg: "h5pay/internal/cause"},
	{pkg: "h5pay/internal/cst"},
	{pkg: "h5pay/internal/envfile"},
	{pkg: "h5pay/internal/fen"},
	{pkg: "h5pay/internal/api", project: []string{"h5pay/internal/fen"}},
	{pkg: "h5pay/internal/job"},
	{pkg: "h5pay/internal/key"},
	{pkg: "h5pay/internal/v1", project: []string{"h5pay/internal/api", "h5pay/internal/fen"}},
	{pkg: "h5pay/internal/openapi", project: []string{"h5pay/internal/api", "h5pay/internal/fen", "h5pay/internal/v1"},
		foreign: []string{"github.com/swaggest/jsonschema-go", "github.com/swaggest/openapi-go", "github.com/swaggest/refl", "gopkg.in/yaml.v2"}},
	{pkg: "h5pay/internal/cmd/openapi", project: []string{"h5pay/internal/api", "h5pay/internal/fen", "h5pay/internal/openapi", "h5pay/internal/v1"},
		foreign: []string{"github.com/swaggest/jsonschema-go", "github.com/swaggest/openapi-go", "github.com/swaggest/refl", "gopkg.in/yaml.v2"}},
	{pkg: "h5pay/internal/origin"},
	{pkg: "h5pay/internal/qrcode", foreign: []string{"rsc.io/qr"}},
	{pkg: "h5pay/internal/reqlog"},
	{pkg: "h5pay/internal/seal"},
	{pkg: "h5pay/wechat", project: []string{"h5pay/internal/fen", "h5pay/wechat/apiv3"}},
	{pkg: "h5pay/wechat", js: true, project: []string{"h5pay/internal/fen", "h5pay/wechat/apiv3"}},
	{pkg: "h5pay/wechat/apiv3"},
	{pkg: "h5pay/wechat/apiv3", js: true},
	{pkg: "h5pay/internal/startpage", project: []string{"h5pay/internal/api", "h5pay/internal/fen"}},
	{pkg: "h5pay/internal/order", project: []string{"h5pay/internal/alphabet", "h5pay/internal/api", "h5pay/internal/cst", "h5pay/internal/fen"}},
	{pkg: "h5pay/internal/store", project: []string{"h5pay/internal/alphabet", "h5pay/internal/api", "h5pay/internal/cst", "h5pay/internal/fen", "h5pay/internal/key", "h5pay/internal/order"}},
	{pkg: "h5pay/internal/store/postgres", direct: true, foreign: []string{"github.com/jackc/pgx/v5"}},                             // native only
	{pkg: "h5pay/internal/store/sqlite", direct: true, foreign: []string{"modernc.org/sqlite"}},                                    // native only
	{pkg: "h5pay/internal/move", direct: true, project: []string{"h5pay/internal/store"}, foreign: []string{"modernc.org/sqlite"}}, // native only
	{pkg: "h5pay/internal/cmd/pgschema", direct: true, project: []string{"h5pay/internal/store/postgres"}},
	{pkg: "h5pay/webhook"}, // receivers may copy it
	{pkg: "h5pay/examples/webhook", project: []string{"h5pay/webhook"}},
	{pkg: "h5pay/examples/backend", foreign: []string{"github.com/standard-webhooks/standard-webhooks/libraries"}}, // a merchant's program
	{pkg: "h5pay/internal/disk"},
	{pkg: "h5pay/internal/sheet", project: []string{"h5pay/internal/alphabet", "h5pay/internal/fen"}},
	{pkg: "h5pay/internal/remote", project: []string{"h5pay/internal/api", "h5pay/internal/fen", "h5pay/internal/origin", "h5pay/internal/v1"}},
	{pkg: "h5pay/internal/listen", project: []string{"h5pay/internal/api", "h5pay/internal/cmdflag", "h5pay/internal/fen", "h5pay/internal/origin", "h5pay/internal/remote", "h5pay/internal/v1", "h5pay/webhook"}},
	{pkg: "h5pay/internal/archive", project: []string{
		"h5pay/internal/alphabet", "h5pay/internal/api", "h5pay/internal/cmdflag", "h5pay/internal/cst", "h5pay/internal/disk", "h5pay/internal/fen", "h5pay/internal/order", "h5pay/internal/origin", "h5pay/internal/remote", "h5pay/internal/sheet", "h5pay/internal/v1"},
		foreign: []string{"golang.org/x/sync"}},
	{pkg: "h5pay/internal/payment", project: []string{
		"h5pay/internal/address", "h5pay/internal/alphabet", "h5pay/internal/api", "h5pay/internal/cst", "h5pay/internal/fen", "h5pay/internal/job", "h5pay/internal/key", "h5pay/internal/order", "h5pay/internal/reqlog", "h5pay/internal/store", "h5pay/wechat", "h5pay/wechat/apiv3"}},
	{pkg: "h5pay/internal/certificate", project: []string{
		"h5pay/internal/alphabet", "h5pay/internal/api", "h5pay/internal/cst", "h5pay/internal/fen", "h5pay/internal/key", "h5pay/internal/order", "h5pay/internal/store", "h5pay/wechat/apiv3"}},
	{pkg: "h5pay/internal/outbox", project: []string{
		"h5pay/internal/address", "h5pay/internal/alphabet", "h5pay/internal/api", "h5pay/internal/cst", "h5pay/internal/fen", "h5pay/internal/job", "h5pay/internal/key", "h5pay/internal/order", "h5pay/internal/reqlog", "h5pay/internal/seal", "h5pay/internal/store", "h5pay/wechat", "h5pay/wechat/apiv3", "h5pay/webhook"}},
	{pkg: "h5pay/internal/probe"},
	{pkg: "h5pay/internal/edge", project: []string{"h5pay/internal/cause", "h5pay/internal/probe"}},
	{pkg: "h5pay/internal/doctor", project: []string{
		"h5pay/internal/alphabet", "h5pay/internal/api", "h5pay/internal/cause", "h5pay/internal/cst", "h5pay/internal/fen", "h5pay/internal/order", "h5pay/internal/reqlog", "h5pay/internal/v1", "h5pay/wechat", "h5pay/wechat/apiv3", "h5pay/webhook"}},
	{pkg: "h5pay/internal/server", project: []string{
		"h5pay/internal/address", "h5pay/internal/alphabet", "h5pay/internal/api", "h5pay/internal/cause", "h5pay/internal/cst", "h5pay/internal/fen", "h5pay/internal/job", "h5pay/internal/key", "h5pay/internal/order", "h5pay/internal/outbox", "h5pay/internal/payment", "h5pay/internal/probe", "h5pay/internal/qrcode", "h5pay/internal/reqlog", "h5pay/internal/seal", "h5pay/internal/sheet", "h5pay/internal/startpage",
		"h5pay/internal/store", "h5pay/internal/v1", "h5pay/wechat", "h5pay/wechat/apiv3", "h5pay/webhook"}, foreign: []string{"rsc.io/qr"}},
	{pkg: "h5pay/wechat/wechattest"}, // independent, because it checks the others
	{pkg: "h5pay/simulator/web", project: []string{"h5pay/wechat/wechattest"}},
	{pkg: "h5pay/simulator/phone", project: []string{"h5pay/wechat/wechattest", "h5pay/simulator/web"}},
	{pkg: "h5pay/simulator/desk", project: []string{"h5pay/wechat/wechattest", "h5pay/simulator/web"}},
	{pkg: "h5pay/simulator/server", project: []string{"h5pay/wechat/wechattest", "h5pay/simulator/web", "h5pay/simulator/phone", "h5pay/simulator/desk"}},
	{pkg: "h5pay/simulator/command", project: []string{"h5pay/wechat/wechattest", "h5pay/simulator/web", "h5pay/simulator/phone", "h5pay/simulator/desk", "h5pay/simulator/server"}},
	{pkg: "h5pay/simulator", project: []string{"h5pay/wechat/wechattest", "h5pay/simulator/web", "h5pay/simulator/phone", "h5pay/simulator/desk", "h5pay/simulator/server", "h5pay/simulator/command"}},
	{pkg: "h5pay/internal/demo", project: []string{"h5pay/internal/fen", "h5pay/webhook", "h5pay/wechat/wechattest", "h5pay/simulator/web", "h5pay/simulator/phone", "h5pay/simulator/desk", "h5pay/simulator/server"}},
	{pkg: "h5pay/internal/cmd/wasmbuild", project: []string{"h5pay/internal/wasmbin"}},
	{pkg: "h5pay/signer/warm", js: true},
	{pkg: "h5pay/signer", js: true, project: []string{
		"h5pay/internal/address", "h5pay/internal/alphabet", "h5pay/internal/api", "h5pay/internal/cause", "h5pay/internal/certificate", "h5pay/internal/cst", "h5pay/internal/doctor", "h5pay/internal/fen", "h5pay/internal/job", "h5pay/internal/key", "h5pay/internal/order", "h5pay/internal/origin", "h5pay/internal/outbox", "h5pay/internal/payment", "h5pay/internal/probe", "h5pay/internal/qrcode", "h5pay/internal/reqlog", "h5pay/internal/seal", "h5pay/internal/sheet", "h5pay/internal/startpage", "h5pay/internal/store", "h5pay/internal/server", "h5pay/internal/v1", "h5pay/wechat", "h5pay/wechat/apiv3", "h5pay/signer/warm", "h5pay/webhook"},
		foreign: []string{"github.com/syumai/workers", "rsc.io/qr"}},
	{pkg: "h5pay/wasm/dom", js: true},
	{pkg: "h5pay/wasm/ui", js: true, foreign: []string{"github.com/maxence-charriere/go-app/v9", "github.com/google/uuid"}},
	{pkg: "h5pay/wasm", js: true, project: []string{"h5pay/internal/alphabet", "h5pay/internal/api", "h5pay/internal/cst", "h5pay/internal/fen", "h5pay/internal/qrcode", "h5pay/wasm/dom", "h5pay/wasm/ui"},
		foreign: []string{"github.com/maxence-charriere/go-app/v9", "github.com/google/uuid", "rsc.io/qr"}},
	{pkg: "h5pay/wasm/console", js: true, project: []string{"h5pay/internal/api", "h5pay/internal/cause", "h5pay/internal/cst", "h5pay/internal/fen", "h5pay/internal/v1", "h5pay/wasm/dom", "h5pay/wasm/ui"},
		foreign: []string{"github.com/maxence-charriere/go-app/v9", "github.com/google/uuid"}},

	// The plain server.
	{pkg: "h5pay/signer", direct: true, project: []string{
		"h5pay/internal/address", "h5pay/internal/alphabet", "h5pay/internal/api", "h5pay/internal/archive", "h5pay/internal/cause", "h5pay/internal/certificate", "h5pay/internal/cmdflag", "h5pay/internal/disk", "h5pay/internal/doctor", "h5pay/internal/edge", "h5pay/internal/job", "h5pay/internal/listen", "h5pay/internal/move", "h5pay/internal/order", "h5pay/internal/origin", "h5pay/internal/outbox", "h5pay/internal/payment",
		"h5pay/internal/remote", "h5pay/internal/reqlog", "h5pay/internal/server", "h5pay/internal/startpage", "h5pay/internal/static", "h5pay/internal/store", "h5pay/internal/store/postgres", "h5pay/internal/store/sqlite", "h5pay/internal/telemetry", "h5pay/internal/v1", "h5pay/wechat", "h5pay/wechat/apiv3", "h5pay/webhook",
		"h5pay", "h5pay/internal/demo", "h5pay/internal/envfile", "h5pay/internal/fen", "h5pay/simulator/command"},
		foreign: []string{"modernc.org/libc", "modernc.org/sqlite", "golang.org/x/crypto/x509roots/fallback"}},
	{pkg: "h5pay/internal/telemetry", direct: true, project: []string{"h5pay/internal/api", "h5pay/internal/order", "h5pay/internal/store", "h5pay/internal/v1"}, foreign: []string{
		"github.com/XSAM/otelsql", "github.com/felixge/httpsnoop", "github.com/prometheus/client_golang", "go.opentelemetry.io/otel",
		"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp", "go.opentelemetry.io/otel/exporters/prometheus", "go.opentelemetry.io/otel/metric", "go.opentelemetry.io/otel/sdk",
		"go.opentelemetry.io/otel/sdk/metric", "go.opentelemetry.io/otel/trace"}},
	{pkg: "h5pay/internal/static"},
	{pkg: "h5pay/internal/cmdflag"},

	// Tools and worlds for tests.
	{pkg: "h5pay/internal/cleanup"},
	{pkg: "h5pay/internal/growthtest"},
	{pkg: "h5pay/internal/wasmbin"},
	{pkg: "h5pay/internal/pgtest", direct: true, foreign: []string{"github.com/jackc/pgx/v5"}},
	{pkg: "h5pay/internal/stack", direct: true, project: []string{"h5pay/internal/cleanup", "h5pay/internal/job", "h5pay/wechat/wechattest"}},
	{pkg: "h5pay/internal/paytest", direct: true, project: []string{
		"h5pay/internal/api", "h5pay/internal/certificate", "h5pay/internal/cleanup", "h5pay/internal/envfile", "h5pay/internal/fen", "h5pay/internal/job", "h5pay/internal/order", "h5pay/internal/outbox",
		"h5pay/internal/payment", "h5pay/internal/server", "h5pay/internal/stack", "h5pay/internal/store", "h5pay/internal/store/storetest", "h5pay/internal/v1", "h5pay/webhook", "h5pay/wechat", "h5pay/wechat/wechattest"},
		foreign: []string{"github.com/google/go-cmp"}},
	{pkg: "h5pay/internal/paytest/campaign", direct: true, project: []string{
		"h5pay/internal/alphabet", "h5pay/internal/api", "h5pay/internal/cst", "h5pay/internal/fen", "h5pay/internal/job", "h5pay/internal/order",
		"h5pay/internal/outbox", "h5pay/internal/paytest", "h5pay/internal/store", "h5pay/internal/v1", "h5pay/webhook", "h5pay/wechat", "h5pay/wechat/wechattest"}},
	{pkg: "h5pay/internal/store/storetest", direct: true, project: []string{"h5pay/internal/api", "h5pay/internal/order", "h5pay/internal/pgtest", "h5pay/internal/store", "h5pay/internal/store/postgres", "h5pay/internal/store/sqlite"},
		foreign: []string{"github.com/jackc/pgx/v5", "golang.org/x/sync", "modernc.org/libc", "modernc.org/sqlite"}},
	{pkg: "h5pay/simulator/simtest", direct: true, project: []string{"h5pay/wechat", "h5pay/wechat/wechattest"}},
	{pkg: "h5pay/internal/cmd/dev", direct: true, project: []string{
		"h5pay/internal/cleanup", "h5pay/internal/cmdflag", "h5pay/internal/demo", "h5pay/internal/envfile", "h5pay/internal/stack", "h5pay/simulator/server", "h5pay/wechat/wechattest"}},
	{pkg: "h5pay/internal/cmd/release", direct: true, project: []string{"h5pay", "h5pay/internal/cmdflag"}},
	{pkg: "h5pay/internal/cmd/testrun", direct: true, project: []string{"h5pay/internal/cleanup"}},
	{pkg: "h5pay/internal/cmd/vulncheck", direct: true, project: []string{"h5pay/internal/cmdflag"}},
	{pkg: "h5pay/internal/cmd/wasmbuild/crypto/...", direct: true}, // in the place of the standard library's packages
	{pkg: "h5pay/internal/cmd/wasmbuild/net/...", direct: true},
	{pkg: "h5pay/internal/cmd/wasmbuild/regexp", direct: true},
	{pkg: "h5pay/internal/cmd/wasmbuild/text/...", direct: true},
}

func TestImportRules(t *testing.T) {
	for _, rule := range importRules {
		t.Run(rule.pkg, func(t *testing.T) {
			pkgs := []string{"-deps", rule.pkg}
			if rule.direct {
				if pkgs = goList(t, rule.js, "-f", `{{join .Imports "\n"}}`, rule.pkg); len(pkgs) == 0 {
					return
				}
			}
			for _, dep := range goList(t, rule.js, append([]string{"-f", "{{if not .Standard}}{{.ImportPath}} {{with .Module}}{{.Path}}{{end}}{{end}}"}, pkgs...)...) {
				path, module, _ := strings.Cut(dep, " ")
				if path == rule.pkg || slices.Contains(rule.project, path) || slices.Contains(rule.foreign, module) {
					continue
				}
				t.Errorf("%s must not depend on %s", rule.pkg, path)
			}
		})
	}
}

func TestEveryPackageHasAnImportRule(t *testing.T) {
	for _, pkg := range goList(t, false, "./...") {
		if pkg == "h5pay" || pkg == "h5pay/e2e" || strings.HasPrefix(pkg, "h5pay/e2e/") {
			continue
		}
		ruled := false
		for _, rule := range importRules {
			folder, all := strings.CutSuffix(rule.pkg, "...")
			ruled = ruled || rule.pkg == pkg || all && strings.HasPrefix(pkg, folder)
		}
		if !ruled {
			t.Errorf("%s has no rule in importRules", pkg)
		}
	}
}

// The native command links no package that is for tests.
func TestCommandLinksNoTestPackage(t *testing.T) {
	for _, dep := range goList(t, false, "-deps", "h5pay/signer") {
		if dep == "testing" || strings.HasPrefix(dep, "testing/") || dep == "net/http/httptest" {
			t.Errorf("signer depends on %s", dep)
		}
	}
}

// Orders know nothing of HTTP or of a database.
func TestOrderIsPure(t *testing.T) {
	for _, dep := range goList(t, false, "-deps", "h5pay/internal/order") {
		if slices.Contains([]string{"context", "database/sql", "net/http"}, dep) {
			t.Errorf("internal/order depends on %s", dep)
		}
	}
}

// Beijing time is in one place. The public packages stand alone, and the simulator
// checks the others: they have a zone of their own.
func TestOneZone(t *testing.T) {
	for _, file := range gitFiles(t, "*.go") {
		if file == "tree_test.go" || strings.HasPrefix(file, "internal/cst/") || strings.HasPrefix(file, "wechat/") || strings.HasPrefix(file, "simulator/") {
			continue
		}
		src, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // about to be moved
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(src), "time.FixedZone(") {
			t.Errorf("%s makes a zone: use internal/cst", file)
		}
	}
}

// Only *_js.go files import syscall/js.
func TestOnlyJSFilesImportJS(t *testing.T) {
	for _, pkg := range []string{"h5pay/signer", "h5pay/signer/warm", "h5pay/wasm", "h5pay/wasm/console", "h5pay/wasm/dom"} {
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

// crypto/rsa and crypto/x509 would make the Worker a quarter larger, and a signature would cost ten
// times as much: docs/rsa.md.
func TestAPIv3LinksNoRSAInTheWorker(t *testing.T) {
	for _, dep := range goList(t, true, "-deps", "h5pay/wechat/apiv3") {
		for _, forbidden := range []string{"crypto/rsa", "crypto/x509", "crypto/tls", "encoding/pem", "net/http"} {
			if dep == forbidden {
				t.Errorf("built for js, apiv3 depends on %s", dep)
			}
		}
	}
}

// math/rand and hash/maphash draw from the seed with which a program started, and that of a
// Worker's first program is the same in every isolate. All random values of the project come from
// crypto/rand: docs/warm.md.
func TestWorkerDrawsFromCryptoRand(t *testing.T) {
	for _, line := range goList(t, true, "-deps", "-f", `{{if not .Standard}}{{.ImportPath}} {{join .Imports " "}}{{end}}`, "h5pay/signer") {
		pkg, imports, _ := strings.Cut(line, " ")
		for _, forbidden := range []string{"math/rand", "math/rand/v2", "hash/maphash"} {
			if slices.Contains(strings.Fields(imports), forbidden) {
				t.Errorf("%s imports %s: use crypto/rand", pkg, forbidden)
			}
		}
	}
}

// Every file and every heading that the documents link to exists.
func TestDocumentLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]*)(?:#([^)]*))?\)`)
	for _, name := range documentFiles(t) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			target := name
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(name), m[1])
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is not there", name, m[1])
				continue
			}
			if m[2] != "" && !slices.Contains(anchors(t, target), m[2]) {
				t.Errorf("%s links to %s#%s, and there is no such heading", name, m[1], m[2])
			}
		}
	}
}

// anchors returns the names under which a page links to the headings of a document. GitHub makes
// them in lower case, without punctuation and with hyphens for spaces.
func anchors(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(string(text), -1) {
		all = append(all, strings.Map(func(r rune) rune {
			switch {
			case r == ' ' || r == '-':
				return '-'
			case r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, m[1]))
	}
	return all
}

// protocolDoc describes WeChat's protocol. Comments cite its sections, as in "docs/wechat.md 4.5".
const protocolDoc = "docs/wechat.md"

// protocolDocs are its language versions.
var protocolDocs = []string{protocolDoc, "docs/wechat.zh-CN.md"}

// protocolSections returns the section numbers of a version, in order.
func protocolSections(t *testing.T, doc string) []string {
	t.Helper()
	text, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	var numbers []string
	for _, m := range regexp.MustCompile(`(?m)^### (\d+\.\d+) \S`).FindAllStringSubmatch(string(text), -1) {
		numbers = append(numbers, m[1])
	}
	if len(numbers) == 0 {
		t.Fatalf("%s has no sections", doc)
	}
	return numbers
}

// All language versions have the same sections, each once.
func TestProtocolSections(t *testing.T) {
	want := protocolSections(t, protocolDoc)
	for i, number := range want {
		if slices.Contains(want[:i], number) {
			t.Errorf("%s: section %s is repeated", protocolDoc, number)
		}
	}
	for _, doc := range protocolDocs[1:] {
		if diff := cmp.Diff(want, protocolSections(t, doc)); diff != "" {
			t.Errorf("%s has other sections than %s (-want +got):\n%s", doc, protocolDoc, diff)
		}
	}
}

// Every cited section exists. In source files a citation names a section.
func TestProtocolCitations(t *testing.T) {
	var (
		sections = protocolSections(t, protocolDoc)
		marker   = regexp.MustCompile(`\n\s*(?://|--|\*|#)?\s*`) // a comment may continue on the next line
		citation = regexp.MustCompile(regexp.QuoteMeta(protocolDoc) + `(?: (\d+\.\d+(?:(?:, | and )\d+\.\d+)*))?`)
	)
	for _, file := range gitFiles(t, "*.go", "*.mjs", "*.js", "*.sql", "*.txt", "*.md") {
		if file == "tree_test.go" || slices.Contains(protocolDocs, file) {
			continue
		}
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted but still in the index
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range citation.FindAllStringSubmatch(marker.ReplaceAllString(string(text), " "), -1) {
			if m[1] == "" {
				if filepath.Ext(file) != ".md" {
					t.Errorf("%s cites %s without a section: want %q", file, protocolDoc, protocolDoc+" 4.5")
				}
				continue
			}
			for _, number := range regexp.MustCompile(`\d+\.\d+`).FindAllString(m[1], -1) {
				if !slices.Contains(sections, number) {
					t.Errorf("%s cites %s %s, which does not exist", file, protocolDoc, number)
				}
			}
		}
	}
}

// Chapter 13 lists each of WeChat's codes with its kind in the client's table. The client's tests
// compare their list with that table.
func TestProtocolCodes(t *testing.T) {
	lists := gitFiles(t, "*testdata/codes.txt")
	if len(lists) != 1 {
		t.Fatalf("lists of codes: want one testdata/codes.txt, got %q", lists)
	}
	text, err := os.ReadFile(lists[0])
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] != "#" {
			want[fields[0]] = fields[1]
		}
	}
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|.*\\| `([a-z]+)` \\|$")
	for _, doc := range protocolDocs {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		_, chapter, _ := strings.Cut(string(text), "\n## 13. ")
		chapter, _, _ = strings.Cut(chapter, "\n## ")
		got := map[string]string{}
		for _, m := range row.FindAllStringSubmatch(chapter, -1) {
			got[m[1]] = m[2]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s, chapter 13, differs from %s (-want +got):\n%s", doc, lists[0], diff)
		}
	}
}

// gitFiles returns the files in git that match the patterns.
func gitFiles(t *testing.T, patterns ...string) []string {
	t.Helper()
	out, err := exec.Command("git", append([]string{"ls-files", "-z", "--"}, patterns...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(strings.Split(string(out), "\x00"), func(file string) bool { return file == "" })
}

// parallelPackages are those whose tests own their worlds.
var parallelPackages = []string{"e2e/cert", "e2e/sdk", "e2e/webhook", "internal/move", "internal/outbox", "internal/payment", "internal/paytest", "internal/paytest/campaign", "internal/server", "internal/store", "internal/store/postgres", "internal/store/storetest", "signer", "signer/warm"}

var testStart = regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\) \{\n((?:.*\n)*?)\}\n`)

// A test that owns its world runs in parallel with others. One that cannot begins with a comment
// about the cause, or sets the environment.
func TestTestsRunInParallel(t *testing.T) {
	for _, pkg := range parallelPackages {
		tests := 0
		for _, file := range gitFiles(t, pkg+"/*_test.go") {
			if filepath.Dir(file) != pkg {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range testStart.FindAllStringSubmatch(string(text), -1) {
				tests++
				if !strings.HasPrefix(m[2], "\tt.Parallel()\n") && !strings.HasPrefix(m[2], "\t// Not parallel: ") && !strings.Contains(m[2], "t.Setenv(") {
					t.Errorf("%s: %s does not start with t.Parallel()", file, m[1])
				}
			}
		}
		if tests == 0 {
			t.Errorf("%s has no tests", pkg)
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

// Build results are not committed: a binary stays in the history forever.
func TestNothingBuiltIsCommitted(t *testing.T) {
	for _, file := range gitFiles(t) {
		if filepath.Ext(file) == ".wasm" {
			t.Errorf("%s is committed", file)
		}
	}
}

// The defaults of these settings differ between versions of wrangler and would serve the shop at
// more addresses.
func TestShopHasOneAddress(t *testing.T) {
	text, err := os.ReadFile("wrangler.toml")
	if err != nil {
		t.Fatal(err)
	}
	top, _, _ := strings.Cut(string(text), "\n[")
	for _, line := range []string{"workers_dev = false", "preview_urls = false"} {
		if !slices.Contains(strings.Split(top, "\n"), line) {
			t.Errorf("wrangler.toml lacks %s before its first table", line)
		}
	}
}

// The threat model names a test for each threat. Each of them exists.
func TestThreatModelNamesTests(t *testing.T) {
	declared := map[string]bool{}
	for _, file := range gitFiles(t) {
		if !strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllStringSubmatch(string(text), -1) {
			declared[m[1]] = true
		}
	}
	text, err := os.ReadFile("docs/threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`").FindAllStringSubmatch(string(text), -1)
	if len(named) < 50 {
		t.Errorf("the threat model names %d tests", len(named))
	}
	for _, m := range named {
		if !declared[m[1]] {
			t.Errorf("docs/threat-model.md names %s, and there is no such test", m[1])
		}
	}
}
