// Command weui writes the part of WeUI that the page uses: the rules whose
// classes occur in its sources, and of WeUI's variables those that are read.
//
//	go run ./wasmbuild/weui -o public/web/weui.css weui.min.css wasm public/web
//
// A class is used when its whole name stands somewhere in a source, so a screen
// must not put names together from parts.
package main

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	out := flag.String("o", "", "file to write")
	flag.Parse()
	if *out == "" || flag.NArg() < 2 {
		fmt.Fprintln(os.Stderr, "usage: weui -o FILE WEUI.CSS FOLDER...")
		os.Exit(2)
	}
	if err := run(*out, flag.Arg(0), flag.Args()[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "weui:", err)
		os.Exit(1)
	}
}

func run(out, weui string, folders []string) error {
	whole, err := os.ReadFile(weui)
	if err != nil {
		return err
	}
	var sources []string
	for _, folder := range folders {
		read, err := readSources(folder, out)
		if err != nil {
			return err
		}
		sources = append(sources, read...)
	}
	pruned, err := prune(string(whole), sources)
	if err != nil {
		return fmt.Errorf("reading %s: %w", weui, err)
	}
	return os.WriteFile(out, []byte(pruned), 0o644)
}

// readSources returns the texts under a folder that may name a class or read a
// variable, but for tests and what is written here.
func readSources(folder, out string) (texts []string, err error) {
	err = filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(name, "_test.go") || filepath.Base(name) == filepath.Base(out) {
			return err
		}
		if !slices.Contains([]string{".go", ".html", ".css", ".js"}, filepath.Ext(name)) {
			return nil
		}
		text, err := os.ReadFile(name)
		texts = append(texts, string(text))
		return err
	})
	return texts, err
}
