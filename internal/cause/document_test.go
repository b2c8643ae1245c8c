package cause

import (
	"flag"
	"os"
	"regexp"
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

// Both documents list every check, and a section that a text names exists.
func TestDocumentsHaveEveryCheckAndSection(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile("../../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, name := range []string{"doctor.md", "doctor.zh-CN.md"} {
		head, _, _ := strings.Cut(read(name), "-->\n")
		for _, title := range Titles() {
			if !strings.Contains(head, "`"+string(title.Check)+"`") {
				t.Errorf("%s does not list the check %s", name, title.Check)
			}
		}
	}
	section := regexp.MustCompile(`见 docs/(\S+\.md) “([^”]+)”|“([^”]+)” in docs/(\S+\.md)`)
	found := 0
	for _, row := range Rows() {
		for _, text := range []Text{row.ZH, row.EN} {
			for _, m := range section.FindAllStringSubmatch(text.Repair, -1) {
				found++
				file, heading := m[1]+m[4], m[2]+m[3]
				if !strings.Contains(read(file), "# "+heading+"\n") {
					t.Errorf("%s: docs/%s has no section %q", row.ID, file, heading)
				}
			}
		}
	}
	if found < 2 {
		t.Errorf("%d sections are named", found)
	}
}
