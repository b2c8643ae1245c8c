package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
)

// embedded is a file without a time of modification, which is part of the program and never changes.
type embedded struct {
	once sync.Once
	body []byte
	gzip []byte // nil if it is hardly smaller
	etag string
	err  error
}

// compressed are the extensions of the files that are sent compressed.
var compressed = map[string]bool{".html": true, ".css": true, ".js": true, ".svg": true, ".txt": true, ".wasm": true, ".webmanifest": true}

// serveEmbedded serves a file that never changes. Its ETag lets browsers keep it without a time of
// modification. It is compressed once.
func (s *Site) serveEmbedded(w http.ResponseWriter, r *http.Request, name string) {
	entry, _ := s.embedded.LoadOrStore(name, &embedded{})
	e := entry.(*embedded)
	e.once.Do(func() { e.load(s.files, name) })
	if e.err != nil {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	e.write(w, r, name)
}

// Document is a page that is made while the server runs. It is served like an embedded file.
type Document struct{ file embedded }

// NewDocument returns a document with some HTML.
func NewDocument(body []byte) (*Document, error) {
	d := &Document{}
	d.file.keep(body, "index.html")
	return d, d.file.err
}

// ServeDocument serves a document at the address of the request, with the headers of the site.
func (s *Site) ServeDocument(w http.ResponseWriter, r *http.Request, d *Document) {
	s.setHeaders(w.Header(), r.URL.Path)
	d.file.write(w, r, "index.html")
}

// Body returns the HTML.
func (d *Document) Body() []byte { return d.file.body }

// ServeOnce serves HTML that is for one response only. No cache keeps it.
func (s *Site) ServeOnce(w http.ResponseWriter, r *http.Request, body []byte) {
	h := w.Header()
	s.setHeaders(h, r.URL.Path)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", contentType("index.html"))
	h.Set("Vary", "Accept-Encoding")
	if !accepts(r, "gzip") {
		w.Write(body)
		return
	}
	h.Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	z.Write(body) // the only error is that the client disconnected
	z.Close()
}

// write sends the file.
func (e *embedded) write(w http.ResponseWriter, r *http.Request, name string) {
	h := w.Header()
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", contentType(name))
	}
	body, etag := e.body, e.etag
	if e.gzip != nil {
		h.Add("Vary", "Accept-Encoding")
		if accepts(r, "gzip") {
			body, etag = e.gzip, e.etag+"-gzip"
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("ETag", `"`+etag+`"`)
	http.ServeContent(w, r, "", noTime, bytes.NewReader(body))
}

// load reads and compresses the file.
func (e *embedded) load(files fs.FS, name string) {
	body, err := fs.ReadFile(files, name)
	if err != nil {
		e.err = err
		return
	}
	e.keep(body, name)
}

// keep compresses the content of the file, unless its name says that this is useless.
func (e *embedded) keep(body []byte, name string) {
	e.body = body
	sum := sha256.Sum256(e.body)
	e.etag = hex.EncodeToString(sum[:8])
	if !compressed[path.Ext(name)] {
		return
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		e.err = err
		return
	}
	z.Write(e.body) // into memory: it does not fail
	z.Close()
	if b.Len() < len(e.body)*9/10 {
		e.gzip = b.Bytes()
	}
}

// contentType returns the type of a file by its extension. The machine's table may differ from the
// standard library's, so the page's own types are fixed.
func contentType(name string) string {
	switch ext := path.Ext(name); ext {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".wasm":
		return "application/wasm"
	default:
		if t := mime.TypeByExtension(ext); t != "" {
			return t
		}
		return "application/octet-stream"
	}
}

// accepts reports whether a request accepts a coding. A weight of 0 rejects it.
func accepts(r *http.Request, want string) bool {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		coding, weight, _ := strings.Cut(strings.ToLower(part), ";")
		if strings.TrimSpace(coding) == want {
			weight = strings.ReplaceAll(weight, " ", "")
			return weight != "q=0" && !strings.HasPrefix(weight, "q=0.0")
		}
	}
	return false
}
