package openapi

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
)

// readComments returns the comments of a package: its own under "", a type's under its
// name, a field's under "Type.Field", an error code's under "code:not_found".
func readComments(dir string) (map[string]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	texts := map[string]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		if file.Doc != nil {
			texts[""] = file.Doc.Text()
		}
		for _, decl := range file.Decls {
			switch decl, _ := decl.(*ast.GenDecl); {
			case decl == nil:
			case decl.Tok == token.TYPE:
				typeComments(decl, texts)
			case decl.Tok == token.CONST:
				codeComments(decl, texts)
			}
		}
	}
	if len(texts) == 0 {
		return nil, &fs.PathError{Op: "reading comments", Path: dir, Err: fs.ErrNotExist}
	}
	return texts, nil
}

func typeComments(decl *ast.GenDecl, texts map[string]string) {
	for _, spec := range decl.Specs {
		spec := spec.(*ast.TypeSpec)
		texts[spec.Name.Name] = line(decl.Doc.Text())
		shape, ok := spec.Type.(*ast.StructType)
		if !ok {
			continue
		}
		for _, field := range shape.Fields.List {
			text := line(field.Doc.Text())
			if text == "" {
				text = line(field.Comment.Text())
			}
			for _, name := range field.Names {
				texts[spec.Name.Name+"."+name.Name] = text
			}
		}
	}
}

// codeComments reads the comments of constants of type Code.
func codeComments(decl *ast.GenDecl, texts map[string]string) {
	for _, spec := range decl.Specs {
		spec := spec.(*ast.ValueSpec)
		if len(spec.Values) != 1 {
			continue
		}
		if value, ok := spec.Values[0].(*ast.BasicLit); ok && strings.HasPrefix(spec.Names[0].Name, "Code") {
			text := line(spec.Comment.Text())
			if text == "" {
				text = line(spec.Doc.Text())
			}
			texts["code:"+strings.Trim(value.Value, `"`)] = text
		}
	}
}

// line returns a comment as one line.
func line(text string) string { return strings.Join(strings.Fields(text), " ") }
