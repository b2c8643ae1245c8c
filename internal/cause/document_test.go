package cause

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the causes into docs/doctor.md and docs/doctor.zh-CN.md")

// documentOf returns the generated part of the document: one table for each check.
func documentOf(heads [5]string, title func(Title) string, text func(Row) Text) string {
	var b strings.Builder
	cell := func(s string) string { return strings.ReplaceAll(s, "|", "\\|") }
	for _, t := range Titles() {
		begun := false
		for _, row := range Rows() {
			if row.Check != t.Check {
				continue
			}
			if !begun {
				b.WriteString("\n### " + title(t) + "\n\n| " + strings.Join(heads[:], " | ") + " |\n|---|---|---|---|---|\n")
				begun = true
			}
			x := text(row)
			b.WriteString("| `" + string(row.ID) + "` | " + cell(x.Problem) + " | " + cell(x.Effect) + " | " + cell(x.Repair) + " | " + cell(x.Menu) + " |\n")
		}
	}
	return b.String()
}

// The documents have the table. The flag -update writes it.
func TestDocumentsHaveTheTable(t *testing.T) {
	for file, want := range map[string]string{
		"../../docs/doctor.md": documentOf([5]string{"cause", "what is wrong", "why it matters", "what to do", "menu"},
			func(t Title) string { return t.EN }, func(r Row) Text { return r.EN }),
		"../../docs/doctor.zh-CN.md": documentOf([5]string{"原因", "哪里不对", "影响", "处理", "菜单"},
			func(t Title) string { return t.ZH }, func(r Row) Text { return r.ZH }),
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head, got, ok := strings.Cut(string(text), "-->\n")
		if !ok {
			t.Fatalf("%s has no comment before the causes", file)
		}
		if *update {
			if err := os.WriteFile(file, []byte(head+"-->\n"+want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got != want {
			t.Errorf("%s has another table of causes: run go test ./internal/cause -update", file)
		}
	}
}
