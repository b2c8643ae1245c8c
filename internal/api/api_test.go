package api

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"
)

// Every declared code has an error status.
func TestEveryCodeHasAStatus(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "error.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Type == nil {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); !ok || name.Name != "Code" {
			return true
		}
		text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		declared++
		if status, ok := statuses[Code(text)]; !ok || status < 400 || status > 599 {
			t.Errorf("%s has the status %d", text, status)
		}
		return true
	})
	if declared != len(statuses) {
		t.Errorf("%d codes, %d statuses", declared, len(statuses))
	}
	if got := Code("made up").Status(); got != 500 {
		t.Errorf("an unknown code has the status %d", got)
	}
}
