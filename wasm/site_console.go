//go:build !js

package main

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
)

// consoleFiles define the elements, classes and attributes of the console, and have its style sheet.
//
//go:embed console/*.go console/*.css ui/*.go site
var consoleFiles embed.FS

// consoleScreen is what the page of the console shows until the program runs, in both languages.
const consoleScreen = `<div class="console"><main class="screen work" aria-busy="true"><div class="skeleton"><div class="line short"></div><div class="line"></div><div class="line"></div></div></main></div>`

// consoleRewrite serves the console at the address of each of its screens.
const consoleRewrite = "/console/* /console 200\n"

// writeConsole writes the page of the operator's console. It has a program and a style of its own, so
// that shoppers load nothing of it.
func (s *site) writeConsole() error {
	program, err := os.ReadFile(s.console)
	if err != nil {
		return fmt.Errorf("reading the console's program: %w", err)
	}
	style, err := s.consoleSheet()
	if err != nil {
		return fmt.Errorf("making the console's style sheet: %w", err)
	}
	d, err := s.consoleDocument()
	if err != nil {
		return err
	}
	d.assets, d.Description = s.assets, textConsole
	d.Style, d.Size, d.Private = template.CSS(style), len(program), true
	s.ConsoleStyleHash = policyHash(style)
	name := "console." + hash(program) + ".wasm"
	if err := os.WriteFile(filepath.Join(s.out, assetsDir, name), program, 0o644); err != nil {
		return err
	}
	d.Wasm = "/" + assetsDir + "/" + name
	page, err := execute("page.html", d)
	if err != nil {
		return fmt.Errorf("writing console.html: %w", err)
	}
	return os.WriteFile(filepath.Join(s.out, "console.html"), []byte(page), 0o644)
}

// consoleDocument is the page without its files.
func (s *site) consoleDocument() (document, error) {
	d := document{Title: textConsole, Screen: consoleScreen, Program: true, Env: "{}",
		Loading: textLoading, Updating: textUpdating, NoScript: textConsoleNoScript}
	var err error
	if d.Failures, d.Ended, err = failureMessages(); err != nil {
		return d, fmt.Errorf("writing the messages: %w", err)
	}
	return d, nil
}

// consoleSheet is the used part of WeUI's sheet and of the shop's own, and the console's.
func (s *site) consoleSheet() (string, error) {
	sheet, err := os.ReadFile(weuiSheet(s.modules))
	if err != nil {
		return "", err
	}
	names, err := filepath.Glob(filepath.Join(s.out, "web", "*.css"))
	if err != nil {
		return "", err
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		sheet = append(append(sheet, '\n'), comment.ReplaceAll(b, nil)...)
	}
	own, err := consoleFiles.ReadFile("console/console.css")
	if err != nil {
		return "", err
	}
	words, err := usedWords(consoleFiles)
	if err != nil {
		return "", err
	}
	return purge(s.modules, string(sheet), string(bytes.TrimSpace(comment.ReplaceAll(own, nil))), words)
}
