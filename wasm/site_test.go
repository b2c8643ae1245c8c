//go:build !js

package main

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/startpage"
)

// Every error code of the signer has its own text and an action.
func TestTextForEveryCode(t *testing.T) {
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
			if _, ok := errorTexts[api.Code(c)]; !ok {
				t.Errorf("no text for %s", c)
			}
		}
		return true
	})
	if errorTextOf("made up") != errorTexts[api.CodeInternal] {
		t.Error("an unknown code has no text")
	}
}

// writeTestSite writes a site around a program and returns its folder.
func writeTestSite(t *testing.T, shop, program string) string {
	t.Helper()
	out := t.TempDir()
	if err := os.CopyFS(filepath.Join(out, "web"), os.DirFS("../public/web")); err != nil {
		t.Fatal(err)
	}
	s := site{out: out, wasm: filepath.Join(t.TempDir(), "app.wasm"), console: filepath.Join(t.TempDir(), "console.wasm"), modules: "../node_modules", shop: shop}
	if err := os.WriteFile(s.wasm, []byte(program), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.console, []byte("console of "+program), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.write(); err != nil {
		t.Fatal(err)
	}
	return out
}

// read returns a file of a site by its address.
func read(t *testing.T, out, address string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(out, filepath.FromSlash(address)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWriteSite(t *testing.T) {
	const shop = `Bob's <"Shop">`
	out := writeTestSite(t, shop, "program")
	for page, parts := range map[string][]string{
		"index.html":   {"<h1>Bob&#39;s &lt;&#34;Shop&#34;&gt;</h1>", textCheckout.ZH, textCheckout.EN, "skeleton", `data-prefetch="/api/config /api/products"`},
		"pay.html":     {">" + textPayTitle.ZH + "</title>", `<title data-en="` + textPayTitle.EN + `">`, "skeleton"},
		"result.html":  {">" + textResultTitle.ZH + "</title>", textConfirming.ZH},
		"404.html":     {textNoPage.ZH, textNoPage.EN, `href="/"`},
		"offline.html": {errorTexts[codeOffline].Title.ZH, errorTexts[codeOffline].Title.EN, `href=""`},
	} {
		text := read(t, out, page)
		for _, part := range append(parts, `class="screen`, `aria-hidden="true"`) {
			if !strings.Contains(text, part) {
				t.Errorf("%s lacks %s", page, part)
			}
		}
		if strings.Contains(text, "aria-hidden>") || strings.Contains(text, "user-scalable") {
			t.Errorf("%s: hidden elements are visible, or the page cannot be zoomed", page)
		}
		// The page waits for these to detect an error or a place.
		if strings.Contains(text, "data-error") || strings.Contains(text, "data-outside") {
			t.Errorf("%s has an error before the program runs", page)
		}
		if program := page != "404.html" && page != "offline.html"; strings.Contains(text, ".wasm") != program ||
			strings.Contains(text, textNotLoaded.ZH) != program || strings.Contains(text, `data-size="7"`) != program {
			t.Errorf("%s loads a program, or does not", page)
		}
	}
	for _, screen := range screens {
		name := strings.TrimPrefix(screen.path, "/")
		if name == "" {
			name = "index"
		}
		read(t, out, name+".html")
	}
	var manifest struct {
		Name  string
		Icons []struct{ Src string }
	}
	if err := json.Unmarshal([]byte(read(t, out, "manifest.webmanifest")), &manifest); err != nil || manifest.Name != shop || len(manifest.Icons) == 0 {
		t.Errorf("the manifest has %+v, %v", manifest, err)
	}
	for _, icon := range manifest.Icons {
		read(t, out, icon.Src)
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	toolchain, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec.js"))
	if err != nil {
		t.Fatal(err)
	}
	starts, err := filepath.Glob(filepath.Join(out, "assets", "start.*.js"))
	if err != nil || len(starts) != 1 {
		t.Fatalf("%q %v", starts, err)
	}
	if start := read(t, out, "assets/"+filepath.Base(starts[0])); !strings.HasPrefix(start, string(toolchain)) {
		t.Error("the runtime is not the toolchain's")
	}
}

var (
	reference = regexp.MustCompile(`(?:src|href|data-wasm)="(/[^"]+)"`)
	// anyHost matches addresses of other hosts and of the machine that built the site.
	anyHost = regexp.MustCompile(`(?:https?:)?//[a-zA-Z0-9.-]+\.[a-z]{2,}[^"'\s)]*|127\.0\.0\.1`)
)

// Every file that a page refers to exists and is part of this site. Its address has a content hash
// or is one of the few stable ones.
func TestReferences(t *testing.T) {
	out := writeTestSite(t, "", "program")
	policy := read(t, out, "_headers")
	pages, err := filepath.Glob(filepath.Join(out, "*.html"))
	if err != nil || len(pages) < len(screens) {
		t.Fatalf("%q %v", pages, err)
	}
	for _, page := range pages {
		text := read(t, out, filepath.Base(page))
		for _, m := range reference.FindAllStringSubmatch(text, -1) {
			switch address := m[1]; {
			case strings.HasPrefix(address, "/assets/"), strings.HasPrefix(address, "/web/icon"), address == "/manifest.webmanifest":
				read(t, out, address)
			case address == "/":
			case slices.ContainsFunc(screens, func(s screen) bool { return s.path == address }):
				read(t, out, address+".html")
			default:
				t.Errorf("%s refers to %s", filepath.Base(page), address)
			}
		}
		for _, m := range regexp.MustCompile(`(?s)<(script|style)[^>]*>(.*?)</|( style=| on[a-z]+=)`).FindAllStringSubmatch(text, -1) {
			if m[3] != "" || m[2] != "" && !strings.Contains(policy, "'"+policyHash(m[2])+"'") {
				t.Errorf("%s has %.80q, which the policy forbids", filepath.Base(page), m[0])
			}
		}
	}
	err = filepath.WalkDir(out, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.Contains(name, "/web/") || strings.HasPrefix(entry.Name(), "start.") || entry.Name() == "_headers" {
			return err
		}
		b, err := os.ReadFile(name)
		for _, found := range anyHost.FindAllString(string(b), -1) {
			if u, err := url.Parse(found); err == nil && (u.Host == "www.w3.org" || found == "https://github.com/weui/weui") { // in the license of its style sheet
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

// A file that browsers keep forever gets another address when it changes, and the old file is
// deleted. The service worker and the version change with the pages that it keeps.
func TestAddressesChangeWithTheirContent(t *testing.T) {
	addresses := func(out string) []string {
		t.Helper()
		names, err := filepath.Glob(filepath.Join(out, "assets", "*"))
		if err != nil || len(names) != 3 {
			t.Fatalf("%q %v", names, err)
		}
		for i, name := range names {
			names[i] = filepath.Base(name)
		}
		return names
	}
	out := writeTestSite(t, "", "one")
	before, worker := addresses(out), read(t, out, "app-worker.js")

	again := writeTestSite(t, "", "one")
	if diff := cmp.Diff(before, addresses(again)); diff != "" {
		t.Errorf("the same site has other addresses (-first +again):\n%s", diff)
	}
	s := site{out: again, wasm: filepath.Join(t.TempDir(), "app.wasm"), console: filepath.Join(t.TempDir(), "console.wasm"), modules: "../node_modules"}
	if err := os.WriteFile(s.wasm, []byte("two"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.console, []byte("console of one"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.write(); err != nil {
		t.Fatal(err)
	}
	after := addresses(again)
	for i := range before {
		if program := strings.HasPrefix(before[i], "app."); (before[i] != after[i]) != program {
			t.Errorf("another program turns %s into %s", before[i], after[i])
		}
	}
	if read(t, again, "app-worker.js") == worker {
		t.Error("the worker keeps pages of another program")
	}
	version := regexp.MustCompile(`data-version="([0-9a-f]{16})"`).FindStringSubmatch(read(t, again, "index.html"))
	if version == nil || !strings.Contains(read(t, again, "_headers"), "  H5pay-Page: "+version[1]+"\n") || !strings.Contains(read(t, again, "app-worker.js"), version[1]) ||
		strings.Contains(read(t, out, "index.html"), version[1]) {
		t.Errorf("the version of the pages is %q", version)
	}
	// The pages of a new console are those of before.
	worker = read(t, again, "app-worker.js")
	if err := os.WriteFile(s.console, []byte("console of two"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.write(); err != nil {
		t.Fatal(err)
	}
	if read(t, again, "app-worker.js") != worker {
		t.Error("a new console changes the worker of the shop")
	}
	if err := os.WriteFile(filepath.Join(again, "web", "app.css"), []byte("body {}"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.write(); err != nil {
		t.Fatal(err)
	}
	if read(t, again, "app-worker.js") == worker {
		t.Error("the worker keeps pages with a style that does not exist")
	}
}

func TestShopName(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	empty := file("empty", "SHOP_NAME = \"\"\nSHOP_URL = \"x\"\n")
	toml := file("toml", "[vars]\n# SHOP_NAME = \"no\"\nSHOP_NAME = \"山岚 \\\"小铺\\\"\" # ours\n")
	env := file("env", "SHOP_NAME=\"local\"\n")
	for _, test := range []struct {
		files []string
		want  string
	}{
		{[]string{empty, dir + "/none", env}, "local"},
		{[]string{toml, env}, `山岚 "小铺"`},
		{[]string{empty}, ""},
		{nil, ""},
	} {
		if got := shopName(test.files); got != test.want {
			t.Errorf("%v: %q, want %q", test.files, got, test.want)
		}
	}
}

// A link preview has the shop's name and nothing of the order.
func TestCustomerPreview(t *testing.T) {
	out := writeTestSite(t, "Tea & Co", "program")
	page := read(t, out, "o.html")
	for _, want := range []string{`<title data-en="Tea &amp; Co - Payment">Tea &amp; Co - 付款</title>`, `<meta property="og:title" content="Tea &amp; Co - 付款">`,
		`<meta property="og:description" content="` + textPreview.ZH + `">`, `data-prefetch="/api/o/TOKEN"`} {
		if !strings.Contains(page, want) {
			t.Errorf("o.html lacks %s", want)
		}
	}
	if strings.Contains(read(t, out, "pay.html"), "og:title") {
		t.Error("the pay page of a shop's own order has a preview")
	}
	if got := read(t, out, "_redirects"); got != "/o/* /o 200\n/l/* /l 200\n/console/* /console 200\n" {
		t.Errorf("_redirects is %q", got)
	}
	if headers := read(t, out, "_headers"); !strings.Contains(headers, "/o/*\n  X-Robots-Tag: noindex") {
		t.Error("search engines may list the customer's page")
	}
	if title := customerTitle(""); title != textCustomerTitle {
		t.Errorf("without a name the title is %v", title)
	}
}

// The rows that the start page gets from the server are those of the program.
func TestRowsAreThoseOfTheProgram(t *testing.T) {
	want, err := catalogueRows()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, startpage.Rows()); diff != "" {
		t.Errorf("run go generate ./internal/startpage (-want +got):\n%s", diff)
	}
	parts, err := startpage.New(api.Catalogue{Products: startpage.Sample})
	if err != nil {
		t.Fatal(err)
	}
	page := read(t, writeTestSite(t, "茶", "program"), "index.html")
	filled := string(startpage.Fill([]byte(page), parts))
	checkStyle(t, filled)
	_, body, _ := strings.Cut(filled, "<body>")
	if strings.Contains(body, "skeleton") || strings.Count(body, "<li") != 2*len(startpage.Sample) {
		t.Errorf("the catalogue is not in the page:\n%s", body)
	}
	if data, script := strings.Index(filled, `id="data"`), strings.Index(filled, "<script data-prefetch"); data < 0 || data > script {
		t.Errorf("the data is at %d, the script that looks for it at %d", data, script)
	}
}

// The same source makes the same page, although go-app prints attributes in a random order.
func TestScreensAreReproducible(t *testing.T) {
	s := &site{shop: "茶"}
	for _, screen := range screens {
		first, err := s.screen(screen.path)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			again, err := s.screen(screen.path)
			if err != nil {
				t.Fatal(err)
			}
			if again.Screen != first.Screen || again.English != first.English {
				t.Fatalf("%s: one rendering is\n%s\nand another\n%s", screen.path, first.Screen, again.Screen)
			}
		}
	}
}

// The console has a page, a program and a style of its own, and no page of the shop names them.
func TestWriteConsole(t *testing.T) {
	out := writeTestSite(t, "茶", "program")
	console := read(t, out, "console.html")
	for _, part := range []string{"Shop console", "/assets/console.", `data-size="18"`, `class="console"`, ".calendar"} {
		if !strings.Contains(console, part) {
			t.Errorf("console.html lacks %s", part)
		}
	}
	if strings.Contains(console, "manifest") || strings.Contains(console, "/assets/app.") || strings.Contains(console, "data-prefetch") {
		t.Error("console.html has parts of the shop")
	}
	pages, err := filepath.Glob(filepath.Join(out, "*.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		text := read(t, out, filepath.Base(page))
		if shop := filepath.Base(page) != "console.html"; shop && (strings.Contains(text, "console") || strings.Contains(text, ".calendar")) {
			t.Errorf("%s loads a part of the console", filepath.Base(page))
		}
	}
	if redirects := read(t, out, "_redirects"); !strings.Contains(redirects, "/console/* /console 200\n") {
		t.Errorf("redirects: %s", redirects)
	}
	style := console[strings.Index(console, "<style>")+len("<style>") : strings.Index(console, "</style>")]
	if headers := read(t, out, "_headers"); !strings.Contains(headers, policyHash(style)) {
		t.Error("the policy of the console does not allow its style")
	}
}
