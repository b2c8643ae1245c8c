//go:build !js

package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// sourceFilesOf parses the program's own files, without its tests.
func sourceFilesOf(t *testing.T) map[string]*ast.File {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*ast.File{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		if files[name], err = parser.ParseFile(token.NewFileSet(), name, nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	if len(files) < 10 {
		t.Fatalf("only %d files", len(files))
	}
	return files
}

// sentenceFiles are the files with the sentences.
var sentenceFiles = []string{"strings.go", "site_strings.go"}

// Every sentence exists in both languages, each in its own script.
func TestCatalogueIsComplete(t *testing.T) {
	found := 0
	files := sourceFilesOf(t)
	complete := func(n ast.Node) bool {
		lit, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		if name, ok := lit.Type.(*ast.Ident); !ok || name.Name != "text" {
			return true
		}
		found++
		if len(lit.Elts) != 2 {
			t.Errorf("a text in %d languages", len(lit.Elts))
			return false
		}
		zh, en := literal(lit.Elts[0]), literal(lit.Elts[1])
		if !hasHan(zh) {
			t.Errorf("%q is not Chinese", zh)
		}
		if hasHan(en) || strings.TrimSpace(en) == "" {
			t.Errorf("%q is not English (%s)", en, zh)
		}
		return false
	}
	for _, name := range sentenceFiles {
		ast.Inspect(files[name], complete)
	}
	if found < 60 {
		t.Errorf("only %d texts", found)
	}
}

// No screen has a sentence of its own, neither Chinese nor English.
func TestNoSentencesOutsideTheCatalogue(t *testing.T) {
	for name, file := range sourceFilesOf(t) {
		if slices.Contains(sentenceFiles, name) {
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				if hasHan(literal(n)) {
					t.Errorf("%s: %s", name, n.Value)
				}
			case *ast.CallExpr:
				for _, arg := range visibleArgs(n) {
					if s := literal(arg); strings.ContainsFunc(s, unicode.IsLetter) {
						t.Errorf("%s shows %q", name, s)
					}
				}
			}
			return true
		})
	}
}

// visibleArgs returns the arguments of a call that users read or hear.
func visibleArgs(call *ast.CallExpr) []ast.Expr {
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	switch f.Sel.Name {
	case "Text", "Alt", "Title", "Placeholder", "SetTitle":
		return call.Args
	case "Aria":
		if literal(call.Args[0]) == "label" {
			return call.Args[1:]
		}
	}
	return nil
}

func hasHan(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) })
}
