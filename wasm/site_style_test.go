//go:build !js

package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
)

// Parts of a style sheet and of HTML.
var (
	sheetComment = regexp.MustCompile(`(?s)/\*.*?\*/`)
	sheetRule    = regexp.MustCompile(`([^{}]*)\{[^{}]*\}`)
	noName       = regexp.MustCompile(`:not\([^)]*\)|::?[a-z-]+`)
	sheetName    = regexp.MustCompile(`\[([\w-]+)(?:=["']?([^"'\]]*)["']?)?|\.?[A-Za-z][\w-]*`)
	startTag     = regexp.MustCompile(`<([a-z][a-z0-9]*)((?:\s+[a-z-]+(?:="[^"]*")?)*)\s*/?>`)
	tagAttribute = regexp.MustCompile(`([a-z-]+)(?:="([^"]*)")?`)
)

// selectorsOf returns the selectors of a style sheet, each with its names: an element, a class as
// .name, an attribute as [name or [name=value.
func selectorsOf(sheet string) map[string][]string {
	selectors := map[string][]string{}
	for _, rule := range sheetRule.FindAllStringSubmatch(sheetComment.ReplaceAllString(sheet, ""), -1) {
		for selector := range strings.SplitSeq(rule[1], ",") {
			selector = strings.TrimSpace(selector)
			if selector == "" || strings.Contains(selector, "@") || selector == "from" || selector == "to" || strings.HasSuffix(selector, "%") {
				continue
			}
			selectors[selector] = nil
			for _, m := range sheetName.FindAllStringSubmatch(noName.ReplaceAllString(selector, ""), -1) {
				name := m[0]
				if m[1] != "" {
					name = "[" + m[1]
				}
				if m[2] != "" {
					name += "=" + m[2]
				}
				selectors[selector] = append(selectors[selector], name)
			}
		}
	}
	return selectors
}

// namesOf returns the names in HTML in the same form.
func namesOf(html string) map[string]bool {
	names := map[string]bool{}
	for _, tag := range startTag.FindAllStringSubmatch(html, -1) {
		names[tag[1]] = true
		for _, attribute := range tagAttribute.FindAllStringSubmatch(tag[2], -1) {
			names["["+attribute[1]] = true
			names["["+attribute[1]+"="+attribute[2]] = true
			if attribute[1] == "class" {
				for class := range strings.FieldsSeq(attribute[2]) {
					names["."+class] = true
				}
			}
		}
	}
	return names
}

// styles holds the selectors of WeUI's style sheet and of the site's style.
var styles = sync.OnceValues(func() (selectors [2]map[string][]string, err error) {
	s := site{out: "../public", modules: "../node_modules"}
	style, err := s.styleSheet()
	if err != nil {
		return selectors, err
	}
	weui, err := os.ReadFile(weuiSheet(s.modules))
	return [2]map[string][]string{selectorsOf(string(weui)), selectorsOf(style)}, err
})

// checkStyle fails the test if a selector of WeUI matches the HTML and the site's style does not
// have it.
func checkStyle(t *testing.T, html string) {
	t.Helper()
	selectors, err := styles()
	if err != nil {
		t.Fatal(err)
	}
	names := namesOf("<html><body>" + html)
	for selector, needs := range selectors[0] {
		if _, ok := selectors[1][selector]; ok || slices.ContainsFunc(needs, func(name string) bool { return !names[name] }) {
			continue
		}
		t.Errorf("the style of the site lacks %s of WeUI", selector)
	}
}

// Generated pages have the style that they use. The tests of the screens check every other state,
// see htmlOf.
func TestStyleOfGeneratedPages(t *testing.T) {
	out := writeTestSite(t, "Tea", "program")
	for _, name := range []string{"index.html", "amount.html", "o.html", "order.html", "orders.html", "pay.html", "result.html", "404.html", "offline.html"} {
		page := read(t, out, name)
		_, page, ok := strings.Cut(page, "</style>")
		if !ok || !strings.Contains(page, "weui-") {
			t.Errorf("%s has no style or no class of WeUI's", name)
		}
		checkStyle(t, page)
	}
}

func TestSelectorsAndNames(t *testing.T) {
	sheet := `/*! .comment{} */@media print{.a b[c="d"],.e-f>[i]:not(.h):hover::after{i:j}}@keyframes k{from{l:m}9%{n:o}}*{p:q}`
	want := map[string][]string{`.a b[c="d"]`: {".a", "b", "[c=d"}, ".e-f>[i]:not(.h):hover::after": {".e-f", "[i"}, "*": nil}
	if diff := cmp.Diff(want, selectorsOf(sheet)); diff != "" {
		t.Errorf("of the sheet (-want +got):\n%s", diff)
	}
	names := map[string]bool{"a": true, "[class": true, "[class=b c": true, ".b": true, ".c": true, "[d-e": true, "[d-e=x > y": true, "[f": true, "[f=": true, "i": true}
	if diff := cmp.Diff(names, namesOf(`<a class="b c" d-e="x > y" f>g</a>`+"\n<i/>")); diff != "" {
		t.Errorf("of the HTML (-want +got):\n%s", diff)
	}
}

func TestPurge(t *testing.T) {
	words := []string{"div", "btn", "data-on", "box"}
	for _, test := range []struct{ name, sheet, own, want string }{
		{"classes", `.btn{a:b}.gone{a:b}.btn.gone,.box .btn,p{a:b}`, "", `.btn{a:b}.box .btn{a:b}`},
		{"attributes", `[data-on] .btn{a:b}[data-off]{a:b}`, "", `[data-on] .btn{a:b}`},
		{"negation", `.btn:not(.gone){a:b}`, "", `.btn:not(.gone){a:b}`},
		{"media", `@media print{.gone{a:b}}@media print{.btn{a:b}.gone{a:b}}`, "", `@media print{.btn{a:b}}`},
		{"variables", `div{--a:var(--b);--b:1;--c:var(--d);--d:2;e:f}`, `.box{g:var(--a)}`, `div{--a:var(--b);--b:1;e:f}.box{g:var(--a)}`},
		{"animations", `@keyframes spin{to{a:c}}@keyframes none{to{a:b}}@keyframes fade{to{a:b}}.btn{animation:spin 1s}`, `.box{animation:fade}`,
			`@keyframes spin{to{a:c}}@keyframes fade{to{a:b}}.btn{animation:spin 1s}.box{animation:fade}`},
		{"license", `/*! theirs */.btn{a:b}`, "", `/*! theirs */.btn{a:b}`},
	} {
		got, err := purge("../node_modules", test.sheet, test.own, words)
		if got = strings.ReplaceAll(got, "\n", ""); err != nil || got != test.want {
			t.Errorf("%s: %v\n got %s\nwant %s", test.name, err, got, test.want)
		}
	}
	if _, err := purge("../node_modules", "", ".box .gone{a:b}", words); err == nil || !strings.Contains(err.Error(), ".box .gone") {
		t.Errorf("an own rule that nothing uses: %v", err)
	}
	if _, err := purge("../node_modules", ".btn{", "", words); err == nil {
		t.Error("a malformed style sheet was read")
	}
}

func TestUsedWords(t *testing.T) {
	words, err := usedWords(fstest.MapFS{
		"a.go": {Data: []byte("package main\n\nimport \"imported\"\n\n// comment btn_comment\n" +
			"var a = elem(\"a\").Class(\"b c-d\" + e).DataSet(\"on\", true).Aria(\"label\", `raw\nlines`)\n")},
		"a_test.go":       {Data: []byte(`package main; var b = "tested"`)},
		"site/page.html":  {Data: []byte(`<p class="q {{.R}}">`)},
		"site/script.js":  {Data: []byte("// comment \"said\"\nlet x = \"state of\";\n")},
		"site/config.mjs": {Data: []byte(`"configured"`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	words = slices.DeleteFunc(words, func(word string) bool { return statuses[api.OrderStatus(word)] != text{} })
	want := []string{"R", "a", "aria-label", "b", "c-d", "class", "data-on", "label", "lines", "of", "on", "p", "q", "raw", "state"}
	if diff := cmp.Diff(want, words); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Each class occurs in the sources as a whole word. Otherwise purgecss would remove its rules.
func TestClassesAreWholeWords(t *testing.T) {
	sources, err := fs.Glob(sourceFiles, "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := sourceFiles.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if sum, ok := n.(*ast.BinaryExpr); ok && sum.Op == token.ADD {
				if left := literal(sum.X); strings.HasPrefix(left, "weui-") && !strings.HasSuffix(left, " ") {
					t.Errorf("%s: %q is the beginning of a class", name, left)
				}
				if right := literal(sum.Y); strings.Contains(right, "weui-") && !strings.HasPrefix(right, " ") {
					t.Errorf("%s: %q is the end of a class", name, right)
				}
			}
			return true
		})
	}
}
