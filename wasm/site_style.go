//go:build !js

package main

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// styleSheet joins the style sheets of the site: the used part of WeUI's and the shop's own.
// purgecss decides with usedWords which rules are used.
func (s *site) styleSheet() (string, error) {
	weui, err := os.ReadFile(weuiSheet(s.modules))
	if err != nil {
		return "", err
	}
	names, err := filepath.Glob(filepath.Join(s.out, "web", "*.css"))
	if err != nil {
		return "", err
	}
	var own strings.Builder
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		own.WriteString(comment.ReplaceAllString(string(b), "") + "\n")
	}
	words, err := usedWords(sourceFiles)
	if err != nil {
		return "", err
	}
	return purge(s.modules, string(weui), own.String(), words)
}

func weuiSheet(modules string) string {
	return filepath.Join(modules, "weui", "dist", "style", "weui.min.css")
}

var comment = regexp.MustCompile(`(?s)/\*.*?\*/`)

// purge runs purgecss, installed in modules, over a style sheet and the shop's own. It removes
// unused rules, variables and animations from both. An unused rule of the shop's own is an error.
func purge(modules, sheet, own string, words []string) (string, error) {
	dir, err := os.MkdirTemp("", "h5pay-style-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	config, err := siteFiles.ReadFile("site/purgecss.mjs")
	if err != nil {
		return "", err
	}
	for name, content := range map[string]string{
		"all.css": sheet + "\n" + own, "own.css": own, "words.txt": strings.Join(words, "\n"), "purgecss.mjs": string(config),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return "", err
		}
	}
	if modules, err = filepath.Abs(modules); err != nil {
		return "", err
	}
	cmd := exec.Command(filepath.Join(modules, ".bin", "node"), filepath.Join(modules, "purgecss", "bin", "purgecss.js"), "--config", "purgecss.mjs")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return "", fmt.Errorf("running purgecss: %w", err)
	}
	var purged []struct {
		CSS      string
		Rejected []string
	}
	if err := json.Unmarshal(out, &purged); err != nil || len(purged) != 2 {
		return "", fmt.Errorf("reading the output of purgecss: want two style sheets, got %.200q (%v)", out, err)
	}
	if unused := purged[1].Rejected; len(unused) > 0 {
		return "", fmt.Errorf("unused selectors in the shop's style sheets: %q", unused)
	}
	return purged[0].CSS, nil
}

// sourceFiles define the page's elements, classes and attributes.
//
//go:embed *.go site
var sourceFiles embed.FS

var (
	markupWord  = regexp.MustCompile(`[A-Za-z0-9_-]+`)
	scriptWords = regexp.MustCompile(`"([^"\n]*)"`)
)

// usedWords returns the words that may name an element, a class, an id, an attribute or an
// attribute's value:
//   - the words of string literals in Go files, except tests, split at white space;
//   - data-NAME and aria-NAME for each call of DataSet and Aria with a literal NAME;
//   - the order statuses, which are classes;
//   - the words of the HTML templates and of strings in the scripts.
//
// A class must therefore occur in the sources as a whole word.
func usedWords(sources fs.FS) ([]string, error) {
	var words []string
	for status := range statuses {
		words = append(words, string(status))
	}
	err := fs.WalkDir(sources, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		b, err := fs.ReadFile(sources, name)
		if err != nil {
			return err
		}
		switch {
		case strings.HasSuffix(name, "_test.go"):
		case strings.HasSuffix(name, ".go"):
			var found []string
			found, err = goWords(name, b)
			words = append(words, found...)
		case strings.HasSuffix(name, ".html"):
			words = append(words, markupWord.FindAllString(string(b), -1)...)
		case strings.HasSuffix(name, ".js"):
			for _, m := range scriptWords.FindAllStringSubmatch(lineComment.ReplaceAllString(string(b), ""), -1) {
				words = append(words, strings.Fields(m[1])...)
			}
		}
		return err
	})
	slices.Sort(words)
	return slices.Compact(words), err
}

// goWords returns the words of a Go file.
func goWords(name string, source []byte) (words []string, err error) {
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.BasicLit:
			words = append(words, strings.Fields(literal(n))...)
		case *ast.CallExpr:
			method, ok := n.Fun.(*ast.SelectorExpr)
			if ok && len(n.Args) == 2 && (method.Sel.Name == "DataSet" || method.Sel.Name == "Aria") {
				prefix := map[string]string{"DataSet": "data-", "Aria": "aria-"}[method.Sel.Name]
				words = append(words, prefix+literal(n.Args[0]))
			}
		}
		return true
	})
	return words, nil
}

// literal returns the text of a string literal, "" for any other expression.
func literal(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return ""
	}
	text, err := strconv.Unquote(lit.Value)
	if err != nil {
		return ""
	}
	return text
}
