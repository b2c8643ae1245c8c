package h5pay

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/v1"
)

// englishOnly are the documents for contributors, and figures that a program writes.
// All other documents are for users, and in both languages.
var englishOnly = []string{
	"CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md",
	"docs/benchmarks.md", "docs/page.md", "docs/pagespeed.md", "docs/rsa.md", "docs/threat-model.md", "docs/warm.md",
}

// chinese is how the name of a Chinese version ends.
const chinese = ".zh-CN.md"

// languagePairs returns the documents that are in both languages, by the name of the
// English version.
func languagePairs(t *testing.T) []string {
	t.Helper()
	var pairs []string
	all := documentFiles(t)
	for _, name := range all {
		if strings.HasSuffix(name, chinese) && slices.Contains(all, english(name)) {
			pairs = append(pairs, english(name))
		}
	}
	if len(pairs) < 2 {
		t.Fatalf("documents in both languages: %q", pairs)
	}
	return pairs
}

// english returns the name of the English version of a Chinese document.
func english(name string) string { return strings.TrimSuffix(name, chinese) + ".md" }

// inChinese returns the name of the Chinese version of an English document.
func inChinese(name string) string { return strings.TrimSuffix(name, ".md") + chinese }

func TestDocumentsForUsersAreInBothLanguages(t *testing.T) {
	all := documentFiles(t)
	for _, name := range all {
		switch {
		case strings.HasSuffix(name, chinese):
			if !slices.Contains(all, english(name)) {
				t.Errorf("%s has no English version %s", name, english(name))
			}
		case slices.Contains(englishOnly, name) && slices.Contains(all, inChinese(name)):
			t.Errorf("%s has a Chinese version: remove it from englishOnly", name)
		case !slices.Contains(englishOnly, name) && !slices.Contains(all, inChinese(name)):
			t.Errorf("%s has no Chinese version %s", name, inChinese(name))
		}
	}
}

func TestDocumentsLinkToTheOtherLanguage(t *testing.T) {
	for _, name := range languagePairs(t) {
		for from, to := range map[string]string{name: inChinese(name), inChinese(name): name} {
			lines := strings.Split(readDocument(t, from), "\n")
			top := strings.Join(lines[:min(len(lines), 6)], "\n")
			if !strings.Contains(top, "]("+filepath.Base(to)+")") {
				t.Errorf("%s has no link to %s in its first six lines", from, to)
			}
		}
	}
}

// The two versions of a document have the same headings, tables and commands, so that neither lacks
// a part of the other.
func TestLanguageVersionsHaveTheSameParts(t *testing.T) {
	for _, name := range languagePairs(t) {
		en, zh := partsOf(readDocument(t, name)), partsOf(readDocument(t, inChinese(name)))
		if diff := cmp.Diff(en, zh); diff != "" {
			t.Errorf("%s (-) and %s (+) have different parts:\n%s", name, inChinese(name), diff)
		}
	}
}

// A row of an English table begins with Chinese only if it quotes a text of WeChat's, which the Chinese
// version quotes too.
func TestEnglishTablesAreEnglish(t *testing.T) {
	first := regexp.MustCompile(`(?m)^\| (\p{Han}[^|,(]*[^|,( ])`)
	for _, name := range languagePairs(t) {
		chinese := readDocument(t, inChinese(name))
		for _, m := range first.FindAllStringSubmatch(readDocument(t, name), -1) {
			if !strings.Contains(chinese, m[1]) {
				t.Errorf("%s has a row %q, which %s does not have", name, m[1], inChinese(name))
			}
		}
	}
}

func TestPartsOfADocument(t *testing.T) {
	got := partsOf("# A\n\ntext\ngoes on\n\n## B\n\n| a | b |\n|---|---|\n| `X` | y |\n\n    run <this>   # why\n    next\n\n" +
		"1. An item\n   of two lines.\n\n       inside # it\n\n```text\n  box\n```\n```\n# no heading\n```\n")
	want := []string{"#", "##", "table `X`", "code run <>", "code next", "code inside", "drawing", "code # no heading"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

var (
	codeComment = regexp.MustCompile(`\s+(?:#|//) .*$`)
	placeholder = regexp.MustCompile(`<[^<>]*>`)
	codeSpan    = regexp.MustCompile("`[^`]*`")
)

// partsOf returns the parts of a document that do not depend on its language. They are the levels
// of its headings, the rows of its tables with the code in their first column, and its commands
// without comments. A drawing (```text) counts as one part.
func partsOf(text string) []string {
	var parts []string
	fence, code, blank, header := "", false, true, true
	for _, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(trimmed, "```") && fence == "":
			if fence = trimmed; fence == "```text" {
				parts = append(parts, "drawing")
			}
		case strings.HasPrefix(trimmed, "```"):
			fence = ""
		case fence == "```text":
		case fence != "":
			parts = append(parts, "code "+command(line))
		case strings.HasPrefix(line, "#"):
			parts = append(parts, line[:strings.Index(line, " ")])
		case strings.HasPrefix(trimmed, "|"):
			if !header {
				first, _, _ := strings.Cut(trimmed[1:], " |")
				parts = append(parts, strings.TrimSpace("table "+strings.Join(codeSpan.FindAllString(first, -1), " ")))
			} else if strings.HasPrefix(trimmed, "|-") {
				header = false
			}
		case strings.HasPrefix(line, "    ") && trimmed != "" && (blank || code):
			parts = append(parts, "code "+command(line))
			code, blank = true, false
			continue
		}
		header = header || !strings.HasPrefix(trimmed, "|")
		code, blank = code && trimmed == "", trimmed == ""
	}
	return parts
}

// command returns a line of code without its comment, and without the text of
// placeholders.
func command(line string) string {
	return placeholder.ReplaceAllString(strings.TrimSpace(codeComment.ReplaceAllString(line, "")), "<>")
}

// Each setting of the signer is a row in docs/settings.md, or in README.md's table of the plain
// server, in both languages.
func TestSettingsAreInTheDocuments(t *testing.T) {
	var want []string
	for file, pattern := range map[string]string{
		"signer/settings.go":     `getenv\("([A-Z0-9_]+)"\)`,
		"signer/apiv3.go":        `getenv\("([A-Z0-9_]+)"\)`,
		"signer/config_other.go": `Setting\s+= "([A-Z0-9_]+)"`,
	} {
		found := regexp.MustCompile(pattern).FindAllStringSubmatch(readDocument(t, file), -1)
		if len(found) < 4 {
			t.Fatalf("%s: %d settings", file, len(found))
		}
		for _, m := range found {
			want = append(want, m[1])
		}
	}
	slices.Sort(want)
	want = slices.Compact(want)
	for _, names := range [][2]string{{"docs/settings.md", "README.md"}, {inChinese("docs/settings.md"), inChinese("README.md")}} {
		var got []string
		for _, m := range regexp.MustCompile("(?m)^\\| (`[A-Z][A-Z0-9_]+`.*?) \\|").FindAllStringSubmatch(readDocument(t, names[0])+readDocument(t, names[1]), -1) {
			for _, span := range codeSpan.FindAllString(m[1], -1) {
				got = append(got, strings.Trim(span, "`"))
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("settings in %s (-signer +table):\n%s", names, diff)
		}
	}
}

// Each log message that the runbook quotes is one of the signer's.
func TestLogMessagesOfTheRunbookExist(t *testing.T) {
	var code strings.Builder
	for _, file := range gitFiles(t, "*.go") {
		if strings.HasPrefix(file, "internal/") || strings.HasPrefix(file, "signer/") {
			if text, err := os.ReadFile(file); err == nil && !strings.HasSuffix(file, "_test.go") {
				code.Write(text)
			}
		}
	}
	message := regexp.MustCompile("`([A-Za-z]+(?: [A-Za-z]+){2,})`")
	for _, name := range []string{"docs/runbook.md", inChinese("docs/runbook.md")} {
		quoted := message.FindAllStringSubmatch(readDocument(t, name), -1)
		if len(quoted) < 8 {
			t.Errorf("%s quotes %d log messages", name, len(quoted))
		}
		for _, m := range quoted {
			if !strings.HasPrefix(m[1], "npx ") && !strings.Contains(code.String(), `"`+m[1]) {
				t.Errorf("%s quotes %q, which the signer does not log", name, m[1])
			}
		}
	}
}

// The calls in the documents for users are calls of the signer.
func TestCallsInTheDocumentsExist(t *testing.T) {
	var paths []string
	for _, m := range regexp.MustCompile(`Path\w+\s+= "(/api/[^"]*)"`).FindAllStringSubmatch(readDocument(t, "internal/api/api.go"), -1) {
		paths = append(paths, m[1])
	}
	if len(paths) < 15 {
		t.Fatalf("internal/api/api.go has %d paths", len(paths))
	}
	paths = append(paths, "/v1/docs", "/v1/openapi.json")
	for _, route := range v1.Routes {
		paths = append(paths, route.Path)
	}
	id := regexp.MustCompile(`/(?:ORDER_ID|EVENT_ID|ID)\b`)
	date := regexp.MustCompile(`/\d{4}-\d\d-\d\d\b`)
	call := regexp.MustCompile(`(?:^|[^a-z]|\.com)(/(?:api|v1)/[A-Za-z_./{}]*[A-Za-z_/}])`)
	for _, english := range []string{"README.md", "docs/going-live.md", "docs/runbook.md", "docs/architecture.md", "docs/api.md", "docs/backend.md"} {
		for _, name := range []string{english, inChinese(english)} {
			text := date.ReplaceAllString(id.ReplaceAllString(readDocument(t, name), "/{id}"), "/{date}")
			found := call.FindAllStringSubmatch(text, -1)
			if len(found) < 5 {
				t.Errorf("%s has %d calls", name, len(found))
			}
			for _, f := range found {
				path := f[1]
				if !slices.ContainsFunc(paths, func(known string) bool {
					return known == path || strings.HasSuffix(path, "/") && strings.HasPrefix(known, path)
				}) {
					t.Errorf("%s calls %s, which the signer does not have", name, path)
				}
			}
		}
	}
}

// The tables of statuses agree with the tables of package order.
func TestStatusesOfTheArchitecture(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| `([a-z]+)` \\| [^|]+ \\|([^|]*)\\|$")
	for _, name := range []string{"docs/architecture.md", inChinese("docs/architecture.md")} {
		text := readDocument(t, name)
		var sections [][]string // per table, "from to"
		for _, table := range strings.Split(text, "|---|---|---|\n")[1:] {
			table, _, _ = strings.Cut(table, "\n\n")
			var changes []string
			for _, m := range row.FindAllStringSubmatch(table, -1) {
				for _, to := range codeSpan.FindAllString(m[2], -1) {
					changes = append(changes, m[1]+" "+strings.Trim(to, "`"))
				}
			}
			if slices.Sort(changes); changes != nil { // else it is another table
				sections = append(sections, changes)
			}
		}
		var orders, payments, refunds []string
		all := []string{"open", "created", "pending", "closing", "closed", "failed", "paid", "refunding", "refunded", "processing", "succeeded", "abnormal"}
		for _, from := range all {
			for _, to := range all {
				if order.CanBecome(api.OrderStatus(from), api.OrderStatus(to)) {
					orders = append(orders, from+" "+to)
				}
				if order.PaymentCanBecome(api.PaymentStatus(from), api.PaymentStatus(to)) {
					payments = append(payments, from+" "+to)
				}
				if order.RefundCanBecome(api.RefundStatus(from), api.RefundStatus(to)) {
					refunds = append(refunds, from+" "+to)
				}
			}
		}
		slices.Sort(orders)
		slices.Sort(payments)
		slices.Sort(refunds)
		if diff := cmp.Diff([][]string{orders, payments, refunds}, sections); diff != "" {
			t.Errorf("%s (-order +document):\n%s", name, diff)
		}
	}
}

// The names in the page about the architecture exist in the source.
func TestNamesOfTheArchitectureExist(t *testing.T) {
	var source strings.Builder
	for _, file := range gitFiles(t, "*.go", "*.sql", "*.js", "*.mjs", "*.toml") {
		if text, err := os.ReadFile(file); err == nil && file != "document_test.go" {
			source.Write(text)
		}
	}
	name := regexp.MustCompile("`([A-Za-z_][A-Za-z0-9_]*)`")
	for _, document := range []string{"docs/architecture.md", inChinese("docs/architecture.md")} {
		names := name.FindAllStringSubmatch(readDocument(t, document), -1)
		if len(names) < 30 {
			t.Errorf("%s has %d names", document, len(names))
		}
		for _, m := range names {
			if !regexp.MustCompile(`\b` + m[1] + `\b`).MatchString(source.String()) {
				t.Errorf("%s names %s, which is nowhere in the source", document, m[1])
			}
		}
	}
}

// The folders and files that the documents name are there.
func TestPathsInTheDocumentsExist(t *testing.T) {
	path := regexp.MustCompile("`((?:deploy|docs|e2e|examples|internal|public|signer|simulator|wasm|webhook|wechat)/[^` ]*)`")
	braces := regexp.MustCompile(`^(.*)\{([^}]*)\}(.*)$`)
	for _, document := range []string{"README.md", "CONTRIBUTING.md", "docs/architecture.md"} {
		versions := []string{document}
		if !slices.Contains(englishOnly, document) {
			versions = append(versions, inChinese(document))
		}
		for _, version := range versions {
			found := path.FindAllStringSubmatch(readDocument(t, version), -1)
			if len(found) < 5 {
				t.Errorf("%s names %d paths", version, len(found))
			}
			for _, m := range found {
				paths := []string{m[1]}
				if b := braces.FindStringSubmatch(m[1]); b != nil {
					paths = nil
					for _, part := range strings.Split(b[2], ",") {
						paths = append(paths, b[1]+part+b[3])
					}
				}
				for _, p := range paths {
					p = strings.TrimSuffix(strings.TrimSuffix(p, "..."), "/")
					if _, err := os.Stat(p); err != nil {
						t.Errorf("%s names %s, which is not there", version, p)
					}
				}
			}
		}
	}
}

func readDocument(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
