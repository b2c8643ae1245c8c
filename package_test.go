package h5pay

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The table of folders in both README files names every package, and what it imports.
func TestPackagesAreInTheREADMEs(t *testing.T) {
	imports := projectImports(t)
	for name, heading := range map[string]string{"README.md": "\n## How the parts fit\n", inChinese("README.md"): "\n## 各部分的分工\n"} {
		_, text, ok := strings.Cut(readDocument(t, name), heading)
		if !ok {
			t.Errorf("%s has no heading %q", name, strings.TrimSpace(heading))
			continue
		}
		text, _, _ = strings.Cut(text, "\n## ")
		rows := map[string][]string{} // by folder: what it may import, nil for everything
		for _, m := range regexp.MustCompile("(?m)^\\| (`[^|]+) \\|[^|]+\\|([^|]*)\\|$").FindAllStringSubmatch(text, -1) {
			folders, allowed := paths(m[1]), paths(m[2])
			if strings.TrimSpace(m[2]) != "" {
				allowed = append(allowed, folders...) // folders of a row belong together
			}
			for _, folder := range folders {
				rows[folder] = allowed
			}
		}
		for folder, imported := range imports {
			allowed, ok := rows[folder]
			switch {
			case !ok:
				t.Errorf("%s, %q: there is no row for %s/", name, strings.TrimSpace(heading), folder)
			case allowed == nil:
			default:
				for _, other := range imported {
					if !slices.ContainsFunc(allowed, func(a string) bool {
						parent, all := strings.CutSuffix(a, "...")
						return a == other || all && strings.HasPrefix(other, parent)
					}) {
						t.Errorf("%s: %s/ imports %s, which its row does not have", name, folder, other)
					}
				}
			}
		}
		for folder := range rows {
			if _, ok := imports[folder]; !ok && !slices.Contains([]string{"deploy", "e2e", "examples/checkout"}, folder) {
				t.Errorf("%s has a row for %s/, and there is no such package", name, folder)
			}
		}
	}
}

// projectImports returns the folders of this project that each folder imports. The folders below
// e2e and those that take the place of the standard library have no row.
func projectImports(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, js := range []bool{false, true} {
		patterns := []string{"./..."}
		if js {
			patterns = []string{"./wasm/...", "./signer/..."}
		}
		for _, line := range goList(t, js, append([]string{"-f", `{{.ImportPath}} {{join .Imports " "}}`}, patterns...)...) {
			pkgs := strings.Fields(line)
			folder := strings.TrimPrefix(pkgs[0], "h5pay/")
			if folder == "h5pay" || strings.HasPrefix(folder, "e2e") || strings.HasPrefix(folder, "internal/cmd/wasmbuild/") {
				continue
			}
			all[folder] = append(all[folder], []string{}...)
			for _, pkg := range pkgs[1:] {
				if other, ok := strings.CutPrefix(pkg, "h5pay/"); ok && !slices.Contains(all[folder], other) {
					all[folder] = append(all[folder], other)
				}
			}
		}
	}
	return all
}

// paths returns the folders in a cell of a table. `internal/{api,fen}` names two.
func paths(cell string) []string {
	var all []string
	for _, span := range codeSpan.FindAllString(cell, -1) {
		span = strings.TrimSuffix(strings.Trim(span, "`"), "/")
		before, list, ok := strings.Cut(span, "{")
		if !ok {
			all = append(all, span)
			continue
		}
		list, after, _ := strings.Cut(list, "}")
		for _, part := range strings.Split(list, ",") {
			all = append(all, before+part+after)
		}
	}
	return all
}
