//go:build !js

package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"html"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/maxence-charriere/go-app/v9/pkg/app"
)

// generate writes the static site into the folder of -out, around the
// web/app.wasm that is already there.
func generate() {
	out := flag.String("out", "public", "folder of the site, with web/app.wasm in it")
	flag.Parse()
	if err := writeSite(*out); err != nil {
		fmt.Fprintln(os.Stderr, "wasm:", err)
		os.Exit(1)
	}
}

func writeSite(out string) error {
	version, err := siteVersion(out)
	if err != nil {
		return err
	}
	err = app.GenerateStaticWebsite(out, &app.Handler{
		Name:            textTitle.zh,
		ShortName:       textTitle.zh,
		Title:           textTitle.zh,
		Description:     textDescription.zh,
		Lang:            prerendered.tag(),
		ThemeColor:      "#ededed",
		BackgroundColor: "#ededed",
		LoadingLabel:    textLoading.zh,
		Icon: app.Icon{
			Default:    "/web/icon.png",
			Large:      "/web/icon-512.png",
			AppleTouch: "/web/icon.png",
			SVG:        "/web/icon.svg",
		},
		Styles:                []string{"/web/weui.css", "/web/app.css"},
		Version:               version,
		ServiceWorkerTemplate: serviceWorker,
	})
	if err != nil {
		return fmt.Errorf("generating the site: %w", err)
	}
	if err := takeRuntime(out); err != nil {
		return err
	}
	if err := tidyLoader(out); err != nil {
		return err
	}
	return tidyPages(out)
}

// siteVersion changes when anything under web/ does. The service worker keeps
// an old site until its version changes.
func siteVersion(out string) (string, error) {
	h := sha256.New()
	err := filepath.WalkDir(filepath.Join(out, "web"), func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		fmt.Fprintf(h, "%s %d\n", filepath.Base(name), len(b))
		h.Write(b)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("reading the files of the site: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

// takeRuntime puts the toolchain's own wasm_exec.js in place; the one that
// go-app brings is older and does not fit the binary.
func takeRuntime(out string) error {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("finding the toolchain: %w", err)
	}
	b, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec.js"))
	if err != nil {
		return fmt.Errorf("finding the toolchain's wasm_exec.js: %w", err)
	}
	return os.WriteFile(filepath.Join(out, "wasm_exec.js"), b, 0o644)
}

// crawlers is how go-app's loader decides not to start: by words that are also
// in the names of phones, such as Cubot.
const crawlers = `/bot|googlebot|crawler|spider|robot|crawling/i.test(navigator.userAgent)`

// tidyLoader lets the program start on every phone.
func tidyLoader(out string) error {
	name := filepath.Join(out, "app.js")
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if !strings.Contains(string(b), crawlers) {
		return errors.New("app.js is not the loader this was written for: see tidyLoader")
	}
	return os.WriteFile(name, []byte(strings.Replace(string(b), crawlers, "false", 1)), 0o644)
}

// notLoaded is shown when the program did not arrive; app.css tells by the
// class that the loader takes off its icon. The link loads the page again.
var notLoaded = `<div class="not-loaded"><div class="weui-msg" role="alert">
<div class="weui-msg__icon-area"><i class="weui-icon-warn weui-icon_msg" aria-hidden="true"></i></div>
<div class="weui-msg__text-area">` + bilingual("h2", "weui-msg__title", textNotLoaded) + bilingual("p", "weui-msg__desc", troubles[codeOffline].Hint) + `</div>
<div class="weui-msg__opr-area"><p class="weui-btn-area"><a class="weui-btn weui-btn_primary" href="" data-en="` + textRetry.en + `">` + textRetry.zh + `</a></p></div>
</div></div>
</aside>
</body>`

// bilingual is an element of static HTML in both languages, see lang.go.
func bilingual(tag, class string, t text) string {
	return `<` + tag + ` class="` + class + `" data-en="` + html.EscapeString(t.en) + `">` + html.EscapeString(t.zh) + `</` + tag + `>`
}

var (
	ogURL    = regexp.MustCompile(`\s*<meta [^>]*"og:(?:url|image)"[^>]*>`)
	ariaTrue = regexp.MustCompile(`(aria-(?:busy|hidden))([ >])`)
	viewport = regexp.MustCompile(`, maximum-scale=1, user-scalable=0`)

	loaderEnd = regexp.MustCompile(`</aside>\s*</body>`)
)

// tidyPages checks the pages and mends what go-app bakes into them: the address
// of the server that generated them, a ban on zooming, and ARIA attributes
// printed without their value, which counts as false.
func tidyPages(out string) error {
	for _, s := range screens {
		page := cmp.Or(strings.TrimPrefix(s.path, "/"), "index")
		name := filepath.Join(out, page+".html")
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		// A page without a route comes out as "404 page not found".
		if !strings.Contains(string(b), `class="screen`) {
			return errors.New(page + ".html was not rendered")
		}
		b = ogURL.ReplaceAll(b, nil)
		b = viewport.ReplaceAll(b, nil)
		b = ariaTrue.ReplaceAll(b, []byte(`$1="true"$2`))
		b = loaderEnd.ReplaceAll(b, []byte(notLoaded))
		if !strings.Contains(string(b), notLoaded) {
			return errors.New(page + ".html has no loader")
		}
		if strings.Contains(string(b), "127.0.0.1") {
			return errors.New(page + ".html holds the address of the machine that made it")
		}
		if err := os.WriteFile(name, b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// serviceWorker keeps the files that never change under a version, and nothing
// else: pages come from the network, so that an update shows at once and no
// address with a code in it is ever stored, and so do the signer's answers.
const serviceWorker = `const cacheName = "h5pay-{{.Version}}";
const files = {{.ResourcesToCache}}.filter((url) => url.startsWith("/web/") || url.endsWith(".js") || url.endsWith(".css"));

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(cacheName).then((cache) => cache.addAll(files)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches.keys().then((names) => Promise.all(names.filter((name) => name !== cacheName).map((name) => caches.delete(name)))),
  );
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin || !files.includes(url.pathname)) return;
  event.respondWith(caches.match(event.request).then((cached) => cached ?? fetch(event.request)));
});
`
