// Command openapi writes the OpenAPI document of the API for back ends, and pages that
// show it in English and in Chinese.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"h5pay/internal/openapi"
)

func main() {
	out := flag.String("out", "", "the folder to write to")
	dir := flag.String("types", "internal/v1", "the folder of the types")
	flag.Parse()
	if err := run(*dir, *out); err != nil {
		fmt.Fprintln(os.Stderr, "openapi:", err)
		os.Exit(1)
	}
}

// run writes openapi.json, and the page in each language with its style sheet and script.
func run(dir, out string) error {
	document, err := openapi.Document(dir)
	if err != nil {
		return err
	}
	files := map[string][]byte{"openapi.json": document, "docs.css": openapi.Style, "docs.mjs": openapi.Script}
	for _, language := range openapi.Languages {
		if files[language.File], err = openapi.Page(document, language); err != nil {
			return fmt.Errorf("the page in %s: %w", language.Name, err)
		}
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(out, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
