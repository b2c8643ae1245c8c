//go:build !js

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	texttemplate "text/template"

	"h5pay/internal/api"
	"h5pay/wasm/ui"
)

// generate writes the static site into the folder of -out, around the program.
func generate() {
	var s site
	flag.StringVar(&s.out, "out", "public", "folder of the site; its web/ holds the authored files")
	flag.StringVar(&s.wasm, "wasm", "build/page/app.wasm", "file of the page's program")
	flag.StringVar(&s.console, "console", "build/console/app.wasm", "file of the console's program")
	flag.StringVar(&s.modules, "modules", "node_modules", "folder of the installed npm packages: WeUI, purgecss, Node")
	rows := flag.String("rows", "", "write only the `file` with the rows of the catalogue, for internal/startpage")
	settings := flag.String("settings", "wrangler.toml .dev.vars .dev.vars.example",
		"files to read SHOP_NAME from; the first that sets it counts")
	flag.Parse()
	if *rows != "" {
		text, err := catalogueRows()
		if err == nil {
			err = os.WriteFile(*rows, []byte(text), 0o644)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "wasm:", err)
			os.Exit(1)
		}
		return
	}
	s.shop = shopName(strings.Fields(*settings))
	if err := s.write(); err != nil {
		fmt.Fprintln(os.Stderr, "wasm:", err)
		os.Exit(1)
	}
}

// site describes the site to write.
type site struct {
	out, wasm string // folder and file
	console   string // file of the console's program
	modules   string // folder of npm packages
	shop      string // name

	assets // set by write
}

// shopNameLine matches the setting in the form that wrangler.toml and .dev.vars share.
var shopNameLine = regexp.MustCompile(`(?m)^SHOP_NAME *= *("(?:[^"\\]|\\.)+")`)

// shopName returns the shop's name for prerendering, "" if it is unknown. The deployed shop's
// settings come first, then the local ones.
func shopName(settings []string) string {
	for _, file := range settings {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // the program will fetch the name
		}
		if m := shopNameLine.FindSubmatch(b); m != nil {
			if name, err := strconv.Unquote(string(m[1])); err == nil {
				return name
			}
		}
	}
	return ""
}

// write writes the whole site. Browsers revalidate pages on every visit. The address of every other
// file changes with its content.
func (s *site) write() error {
	var err error
	if s.assets, err = s.writeAssets(); err != nil {
		return err
	}
	for _, screen := range screens {
		d, err := s.screen(screen.path)
		if err != nil {
			return fmt.Errorf("rendering %s: %w", screen.path, err)
		}
		if err := s.writePage(cmp.Or(strings.TrimPrefix(screen.path, "/"), "index"), d); err != nil {
			return err
		}
	}
	for name, m := range map[string]message{
		"404":     {Icon: "weui-icon-info", Title: textNoPage, Hint: errorTexts[codeNoOrder].Hint, Href: "/", Action: textShop},
		"offline": {Icon: "weui-icon-warn", Title: errorTexts[codeOffline].Title, Hint: errorTexts[codeOffline].Hint, Action: textRetry},
	} {
		content, err := m.html()
		if err != nil {
			return err
		}
		if err := s.writePage(name, document{Title: m.Title, Screen: `<main class="screen">` + content + `</main>`}); err != nil {
			return err
		}
	}
	if err := s.writeVersion(); err != nil {
		return err
	}
	if err := s.writeConsole(); err != nil {
		return err
	}
	if err := s.writeManifest(); err != nil {
		return err
	}
	if err := s.writeHeaders(); err != nil {
		return err
	}
	return s.writeWorker()
}

// document is the data of site/page.html.
type document struct {
	assets
	Title, Description text
	Screen, English    template.HTML // the same content in both languages; English may be empty
	Program            bool          // whether the page loads the program
	Private            bool          // whether the page is for the operator only
	Preview            text          // the title in a chat to which the address is sent; may be empty
	PreviewHint        text          // the line below it
	Prefetch           []string      // paths to fetch before the program runs
	Data               template.HTML // the mark of the data that the program finds in the page
	Env                string        // JSON for app.Getenv

	Loading, Updating text
	NoScript          text // shown in both languages, because no script runs
	Failures          []failure
	Ended             template.HTML // shown when the program has ended
}

// versionMark stands for the version in the pages until all of them are written.
const versionMark = "h5pay-page-version"

// writeVersion sets the version of the pages, a hash of them and of what they load, and writes it into
// each. The console has none: a new one does not change the shop.
func (s *site) writeVersion() error {
	names, err := filepath.Glob(filepath.Join(s.out, "*.html"))
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return filepath.Base(name) == "console.html" })
	pages := make([][]byte, len(names))
	for i, name := range names {
		if pages[i], err = os.ReadFile(name); err != nil {
			return err
		}
	}
	s.Version = hash(bytes.Join(pages, nil))
	for i, name := range names {
		if err := os.WriteFile(name, bytes.ReplaceAll(pages[i], []byte(versionMark), []byte(s.Version)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (s *site) writePage(name string, d document) error {
	d.assets, d.Description = s.assets, textDescription
	d.Version = versionMark
	page, err := execute("page.html", d)
	if err != nil {
		return fmt.Errorf("writing %s.html: %w", name, err)
	}
	return os.WriteFile(filepath.Join(s.out, name+".html"), []byte(page), 0o644)
}

func (s *site) writeManifest() error {
	name := cmp.Or(s.shop, textTitle.ZH)
	icon := func(src, kind, sizes string) map[string]string {
		return map[string]string{"src": src, "type": kind, "sizes": sizes}
	}
	b, err := json.MarshalIndent(map[string]any{
		"name": name, "short_name": name, "description": textDescription.ZH, "lang": ui.Chinese.Tag(),
		"start_url": "/", "scope": "/", "display": "standalone",
		"theme_color": "#ededed", "background_color": "#ededed",
		"icons": []any{
			icon("/web/icon.svg", "image/svg+xml", "any"), icon("/web/icon.png", "image/png", "192x192"), icon("/web/icon-512.png", "image/png", "512x512"),
		},
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.out, "manifest.webmanifest"), b, 0o644)
}

// customerRewrite serves the customer's page, and that of payment links, at every address with a token.
const customerRewrite = api.PathCustomer + "* /o 200\n" + api.PathLink + "* /l 200\n"

// writeHeaders writes the headers that Cloudflare, or internal/static, sends with each file, and
// which addresses share a page.
func (s *site) writeHeaders() error {
	t, err := texttemplate.ParseFS(siteFiles, "site/headers.txt")
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, s.assets); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.out, "_headers"), b.Bytes(), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.out, "_redirects"), []byte(customerRewrite+consoleRewrite), 0o644)
}

// writeWorker writes the service worker. It changes with the pages that it keeps, so that browsers
// replace it.
func (s *site) writeWorker() error {
	script, err := siteFiles.ReadFile("site/worker.js")
	if err != nil {
		return err
	}
	const placeholder = "{{.Version}}"
	if !strings.Contains(string(script), placeholder) {
		return errors.New("site/worker.js: want the placeholder {{.Version}}")
	}
	script = []byte(strings.ReplaceAll(string(script), placeholder, s.Version))
	return os.WriteFile(filepath.Join(s.out, "app-worker.js"), script, 0o644)
}
