// Command openapi writes the OpenAPI document of the API for back ends, and a page that
// shows it.
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

// run writes openapi.json, docs.html and docs.css.
func run(dir, out string) error {
	document, err := openapi.Document(dir)
	if err != nil {
		return err
	}
	page, err := openapi.Page(document)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for name, text := range map[string][]byte{"openapi.json": document, "docs.html": page, "docs.css": openapi.Style} {
		if err := os.WriteFile(filepath.Join(out, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
