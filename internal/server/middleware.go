package server

import (
	"net/http"
	"strings"

	"h5pay/internal/alphabet"
	"h5pay/internal/api"
	"h5pay/internal/reqlog"
)

// middleware wraps every request. It makes the request's ID, puts the log and the caller into the
// context, and sets the headers of all responses. It checks the origin and the rate limits, and
// recovers from panics.
func (s *Server) middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := s.newRequestID()
		r = s.withCaller(r.WithContext(reqlog.With(r.Context(), id, s.log)))
		s.locate(r)
		w.Header().Set("X-Request-Id", id)
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cross-Origin-Resource-Policy", "same-origin") // no other site's page may embed a response
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		w.Header().Set("Strict-Transport-Security", "max-age=31536000") // a browser ignores it on plain HTTP
		defer func() {
			if p := recover(); p != nil {
				reqlog.Panic(s.logger(r.Context()), p)
				s.writeError(w, r, reject(api.CodeInternal, "the signer failed"))
			}
		}()
		if err := s.checkOrigin(r); err != nil {
			s.writeError(w, r, err)
			return
		}
		// The mux would redirect these, and a redirected POST is lost.
		if !isClean(r.URL.Path) {
			s.writeError(w, r, reject(api.CodeNotFound, "no such path"))
			return
		}
		if err := s.limit(w, r); err != nil {
			s.writeError(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// newRequestID returns 16 random letters and digits, 80 bits.
func (s *Server) newRequestID() string {
	id, err := alphabet.Lower32.Random(s.rand, 16)
	if err != nil {
		return "unknown"
	}
	return id
}

// unknownPath responds to requests without a route: the path exists under another method,
// or not at all.
func unknownPath(mux *http.ServeMux) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		var allow []string
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			probe := &http.Request{Method: method, URL: r.URL, Host: r.Host}
			if _, pattern := mux.Handler(probe); pattern != "/" && pattern != "" {
				allow = append(allow, method)
			}
		}
		if allow == nil {
			return reject(api.CodeNotFound, "no such path")
		}
		w.Header().Set("Allow", strings.Join(allow, ", "))
		return reject(api.CodeMethodNotAllowed, "use "+strings.Join(allow, " or "))
	}
}

// checkOrigin rejects changing calls of another site's page. The shop's page always sends Origin
// with them. Programs send neither header and no cookies of a browser. WeChat's notifications are
// signed instead.
func (s *Server) checkOrigin(r *http.Request) error {
	switch {
	case s.shop.Origin == "": // Unavailable changes nothing
		return nil
	case r.Method == http.MethodGet, r.Method == http.MethodHead, r.Method == http.MethodOptions:
		return nil
	case r.URL.Path == api.PathNotifyPay, r.URL.Path == api.PathNotifyRefund:
		return nil
	}
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		if site := r.Header.Get("Sec-Fetch-Site"); site == "" || site == "same-origin" || site == "none" {
			return nil
		}
	} else if len(origins) == 1 && origins[0] == s.shop.Origin {
		return nil
	}
	return reject(api.CodeForbiddenOrigin, "the Origin is not this shop's")
}

// locate finds the client's address and puts it, or "", into RemoteAddr of r, which
// belongs to the caller.
func (s *Server) locate(r *http.Request) {
	addr, seen := s.cfg.Addresses.find(r)
	r.RemoteAddr = ""
	if addr.IsValid() {
		r.RemoteAddr = addr.String()
	}
	if kind := limitedKind(r); kind == "" || kind == "health" {
		return // monitors may call from this machine, past the proxy
	}
	if s.sightings.note(seen, s.now()) {
		s.logger(r.Context()).Warn("the callers' addresses are not known, so that they share one rate limit", "problem", addressProblem(seen))
	}
}
