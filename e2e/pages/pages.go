// Package pages serves built sites to a browser as Cloudflare does, compressed, and records what it
// sends. A file that the site has compressed is sent as it is.
package pages

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// Server is a site on a port of this machine. Its methods are safe for concurrent use.
type Server struct {
	URL string // http://localhost:41234, or https://

	server *httptest.Server
	node   string
	site   http.Handler
	api    http.Handler // may be nil

	mu        sync.Mutex
	busy      int // running requests
	wrap      func(net.Conn) net.Conn
	fault     http.HandlerFunc // may be nil
	requests  []Request
	forgotten int // calls of Forget
	packed    map[[32]byte][]byte
}

// Request is a completed request.
type Request struct {
	Path   string
	Status int
	Bytes  int // of the body, as sent
}

// Start serves a site, and /api with another handler. It compresses with the Node at the path.
func Start(node string, site, api http.Handler) (*Server, error) {
	s, err := listen(node, site, api)
	if err != nil {
		return nil, err
	}
	s.server.Start()
	s.URL = "http://" + s.URL
	return s, nil
}

// StartTLS is Start with HTTP/2, as Cloudflare speaks it. A Chromium has to be started with TrustFlag.
func StartTLS(node string, site, api http.Handler) (*Server, error) {
	s, err := listen(node, site, api)
	if err != nil {
		return nil, err
	}
	s.server.EnableHTTP2 = true
	s.server.StartTLS()
	s.URL = "https://" + s.URL
	return s, nil
}

// TrustFlag returns the flag, without "--", with which Chromium trusts the certificate of StartTLS and of httptest.
// A page with a certificate that it ignores would not be cached.
func TrustFlag() (name, value string) {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	sum := sha256.Sum256(s.Certificate().RawSubjectPublicKeyInfo)
	return "ignore-certificate-errors-spki-list", base64.StdEncoding.EncodeToString(sum[:])
}

// listen returns a server that is not started, with a URL without scheme.
func listen(node string, site, api http.Handler) (*Server, error) {
	s := &Server{node: node, site: site, api: api, packed: map[[32]byte][]byte{}}
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return nil, err
	}
	s.server = &httptest.Server{Listener: &wrapper{listener, s}, Config: &http.Server{Handler: http.HandlerFunc(s.serve)}}
	s.URL = "localhost:" + strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	return s, nil
}

// Close stops the server and waits for running requests.
func (s *Server) Close() {
	s.server.CloseClientConnections()
	s.server.Close()
}

// Serve replaces the site, as a deployment does.
func (s *Server) Serve(site http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.site = site
}

// Fault lets a handler see every request first. If it writes nothing, the site responds. nil
// removes it.
func (s *Server) Fault(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = h
}

// Connections wraps every connection that is opened from now on.
func (s *Server) Connections(wrap func(net.Conn) net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrap = wrap
}

type wrapper struct {
	net.Listener
	s *Server
}

func (l *wrapper) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	if err != nil || l.s.wrap == nil {
		return c, err
	}
	return l.s.wrap(c), nil
}

// Busy reports whether a request is running.
func (s *Server) Busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.busy > 0
}

// Requests returns the ended requests of a path, which began after the last Forget. A path that ends
// with "*" stands for all that begin with it.
func (s *Server) Requests(path string) (all []Request) {
	prefix, many := strings.CutSuffix(path, "*")
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.requests {
		if r.Path == path || many && strings.HasPrefix(r.Path, prefix) {
			all = append(all, r)
		}
	}
	return all
}

// Forget clears the record. Requests that are running are not recorded when they end.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
	s.forgotten++
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	fault, site, forgotten := s.fault, s.site, s.forgotten
	s.busy++
	s.mu.Unlock()
	c := &counter{ResponseWriter: w}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.busy--
		if s.forgotten == forgotten {
			s.requests = append(s.requests, Request{r.URL.Path, c.status, c.bytes})
		}
	}()
	if fault != nil {
		if fault(c, r); c.status != 0 {
			return
		}
	}
	if strings.HasPrefix(r.URL.Path, "/api/") && s.api != nil {
		s.api.ServeHTTP(c, r)
		return
	}
	s.serveFile(c, r, site)
}

// counter records a response.
type counter struct {
	http.ResponseWriter
	status, bytes int
}

func (c *counter) WriteHeader(status int) {
	if c.status == 0 {
		c.status = status
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *counter) Write(b []byte) (int, error) {
	if c.status == 0 {
		c.status = http.StatusOK
	}
	n, err := c.ResponseWriter.Write(b)
	c.bytes += n
	return n, err
}

func (c *counter) Flush() { c.ResponseWriter.(http.Flusher).Flush() }

// Pack compresses the files of a first visit in advance.
func (s *Server) Pack() error {
	asset := regexp.MustCompile(`"(/[^"]+\.(?:js|css|wasm|webmanifest|svg))"`)
	var all []string
	for _, page := range []string{"/", "/app.js"} {
		got := httptest.NewRecorder()
		s.site.ServeHTTP(got, httptest.NewRequest(http.MethodGet, page, nil))
		for _, m := range asset.FindAllStringSubmatch(got.Body.String(), -1) {
			all = append(all, m[1])
		}
		all = append(all, page)
	}
	for _, address := range all {
		r := httptest.NewRequest(http.MethodGet, address, nil)
		r.Header.Set("Accept-Encoding", "br")
		got := httptest.NewRecorder()
		s.serveFile(got, r, s.site)
		if got.Code >= http.StatusInternalServerError {
			return fmt.Errorf("%s: %s", address, got.Body)
		}
	}
	return nil
}

// quality is the brotli quality that Cloudflare uses for responses.
const quality = 4

// compressible are the content types that Cloudflare compresses, as far as the site has them.
var compressible = map[string]bool{
	"": true, ".html": true, ".css": true, ".js": true, ".wasm": true, ".svg": true, ".webmanifest": true,
}

// serveFile lets the site respond and compresses the response, unless the site has done so.
func (s *Server) serveFile(w http.ResponseWriter, r *http.Request, site http.Handler) {
	if !compressible[path.Ext(r.URL.Path)] || !strings.Contains(r.Header.Get("Accept-Encoding"), "br") || r.Header.Get("Range") != "" {
		site.ServeHTTP(w, r)
		return
	}
	got := httptest.NewRecorder()
	site.ServeHTTP(got, r)
	body := got.Body.Bytes()
	for name, values := range got.Header() {
		w.Header()[name] = values
	}
	w.Header().Set("Vary", "Accept-Encoding")
	if len(body) > 0 && got.Header().Get("Content-Encoding") == "" {
		coding, packed, err := "br", []byte(nil), error(nil)
		if got.Header().Get("Cache-Control") == "no-store" {
			coding, packed = "gzip", zip(body) // every response is another, and starting Node takes long
		} else if packed, err = s.pack(body); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		body = packed
		w.Header().Set("Content-Encoding", coding)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(got.Code)
	w.Write(body)
}

// zip compresses a body.
func zip(body []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(body) // into memory: it does not fail
	z.Close()
	return b.Bytes()
}

// pack compresses a body, once per body.
func (s *Server) pack(body []byte) ([]byte, error) {
	sum := sha256.Sum256(body)
	s.mu.Lock()
	packed, ok := s.packed[sum]
	s.mu.Unlock()
	if ok {
		return packed, nil
	}
	const script = `const z = require("node:zlib"), all = [];
		process.stdin.on("data", (b) => all.push(b)).on("end", () => process.stdout.write(z.brotliCompressSync(Buffer.concat(all),
			{params: {[z.constants.BROTLI_PARAM_QUALITY]: Number(process.argv[1])}})))`
	cmd := exec.Command(s.node, "-e", script, strconv.Itoa(quality))
	cmd.Stdin = bytes.NewReader(body)
	packed, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("compressing with Node: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.packed[sum] = packed
	return packed, nil
}
