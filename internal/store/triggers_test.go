package store_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// A trigger continues the work of a statement, and a reader of the statement does not see it. So
// the schema names the Go file and the functions, and the file names the trigger. Triggers that
// only count name no file.
func TestTriggersAndStatementsNameEachOther(t *testing.T) {
	t.Parallel()
	schema, err := os.ReadFile("migrations/0001_schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	var (
		trigger = regexp.MustCompile(`(?m)((?:^-- .*\n)*)^CREATE TRIGGER (\w+)`)
		place   = regexp.MustCompile(`((?:[A-Z]\w+(?:, | and | ))*)in (\w+\.go)`)
		exports = regexp.MustCompile(`[A-Z]\w+`)
		seen    int
	)
	for _, m := range trigger.FindAllStringSubmatch(string(schema), -1) {
		comment, name := strings.NewReplacer("\n-- ", " ", "Continues ", "").Replace(m[1]), m[2]
		if strings.HasPrefix(name, "count_") {
			continue
		}
		seen++
		places := place.FindAllStringSubmatch(comment, -1)
		if len(places) == 0 {
			t.Errorf("the comment of trigger %s names no Go file: want \"Continues Insert in orders.go.\"", name)
		}
		for _, p := range places {
			code, err := os.ReadFile(p[2])
			if err != nil {
				t.Errorf("the comment of trigger %s: %v", name, err)
				continue
			}
			for _, function := range exports.FindAllString(p[1], -1) {
				if !strings.Contains(string(code), ") "+function+"(") {
					t.Errorf("the comment of trigger %s names %s in %s, which does not exist", name, function, p[2])
				}
			}
			if !regexp.MustCompile(`(?m)^// .*\b` + name + `\b`).Match(code) {
				t.Errorf("%s names no trigger %s", p[2], name)
			}
		}
	}
	if seen < 10 {
		t.Errorf("the schema has %d triggers", seen)
	}
}
