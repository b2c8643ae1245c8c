//go:build !js

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/startpage"
	"h5pay/internal/static"
)

// The same numbers as in warm/startpage.mjs.
const (
	startPageLife     = time.Minute
	startPagePatience = 3 * time.Second
)

// startPagePause is the time after a failure in which the page is sent without the catalogue.
const startPagePause = 5 * time.Second

// startPage serves the files of the page. It puts the catalogue into the start page and keeps the
// result for a minute. If that fails, the page is sent without it, and its program calls the signer.
// A browser that has to sign in gets the page with the address of the sign-in.
type startPage struct {
	site  *static.Site
	files fs.FS
	parts func(context.Context) (api.StartPage, error)
	calls http.Handler // the API
	now   func() time.Time
	log   *slog.Logger

	mu   sync.Mutex
	kept *static.Document // may be nil
	next time.Time        // when it is made again
}

func newStartPage(site *static.Site, files fs.FS, parts func(context.Context) (api.StartPage, error), calls http.Handler, log *slog.Logger) *startPage {
	p := &startPage{site: site, files: files, parts: parts, now: time.Now, log: log}
	p.calls = p.watch(calls)
	return p
}

func (p *startPage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		if d := p.document(r.Context()); d != nil {
			p.serve(w, r, d)
			return
		}
	}
	p.site.ServeHTTP(w, r)
}

// serve serves the page with the catalogue.
func (p *startPage) serve(w http.ResponseWriter, r *http.Request, d *static.Document) {
	if opensSignIn(r) {
		if address, cookies := beginSignIn(r, p.calls); address != "" {
			w.Header()["Set-Cookie"] = cookies
			p.site.ServeOnce(w, r, withSignIn(d.Body(), address))
			return
		}
	}
	w.Header().Add("Vary", "User-Agent")
	if program := programAddress.FindSubmatch(d.Body()); program != nil && joinsRequests.MatchString(r.UserAgent()) {
		w.Header().Set("Link", fmt.Sprintf("<%s>; rel=preload; as=fetch; crossorigin; fetchpriority=low", program[1]))
	}
	p.site.ServeDocument(w, r, d)
}

// A preload requests the program when the headers of the page arrive. check.js takes its response, in the
// browsers that join two requests for one file: see requestProgram there.
var (
	programAddress = regexp.MustCompile(`data-wasm="([^"]+)"`)
	joinsRequests  = regexp.MustCompile(`Chrome/\d{3}`)
)

// document returns the page with the catalogue, nil if there is none.
func (p *startPage) document(ctx context.Context) *static.Document {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now().Before(p.next) {
		return p.kept
	}
	p.next = p.now().Add(startPageLife)
	var err error
	if p.kept, err = p.fill(ctx); err != nil {
		p.next = p.now().Add(startPagePause)
		p.log.WarnContext(ctx, "the start page is sent without the catalogue", "error", err)
	}
	return p.kept
}

func (p *startPage) fill(ctx context.Context) (*static.Document, error) {
	page, err := fs.ReadFile(p.files, "index.html")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // this program was built without the page
	} else if err != nil {
		return nil, err
	}
	// Other requests wait for this one, so it continues if its client disconnects.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startPagePatience)
	defer cancel()
	parts, err := p.parts(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the catalogue: %w", err)
	}
	return static.NewDocument(startpage.Fill(page, parts))
}

// versionHeader has the version of the page: see headers.txt of the site.
const versionHeader = "H5pay-Page"

// watch wraps the handler of the API. After a change of the catalogue the next page is made anew. Every
// answer to the page's program names the version of the page, so that an older page can load itself again.
func (p *startPage) watch(next http.Handler) http.Handler {
	version := p.site.Header("/", versionHeader)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if version != "" && strings.HasPrefix(r.URL.Path, "/api/") {
			w.Header().Set(versionHeader, version)
		}
		next.ServeHTTP(w, r)
		if strings.HasPrefix(r.URL.Path, "/v1/products") && r.Method != http.MethodGet {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.next = time.Time{}
		}
	})
}
