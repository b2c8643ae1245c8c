package server

import (
	"errors"
	"net/url"
	"path"
	"strings"
)

// maxReturnTo is the longest return_to, in bytes.
const maxReturnTo = 512

// parseReturnTo checks the return address of a sign-in and returns it in a normal form. The address
// is a path of this shop, outside /api, with an optional query. WeChat adds code and state to it,
// so it must have neither, and no fragment, which would contain them.
func parseReturnTo(raw string) (string, error) {
	if len(raw) > maxReturnTo {
		return "", errors.New("return_to is longer than 512 bytes")
	}
	for i := range len(raw) {
		if c := raw[i]; c <= ' ' || c >= 0x7f || c == '\\' || c == '#' {
			return "", errors.New("return_to has a character that must be percent-encoded")
		}
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "" || u.Opaque != "" || u.Host != "" || u.User != nil {
		return "", errors.New("return_to is not a path")
	}
	// Browsers and proxies disagree on paths that are not clean, such as "/a/..//b".
	if !isClean(u.Path) || strings.ContainsFunc(u.Path, isUnsafe) {
		return "", errors.New("return_to is not a clean absolute path")
	}
	if u.Path == "/api" || strings.HasPrefix(u.Path, "/api/") {
		return "", errors.New("return_to is not a page")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", errors.New("return_to has a malformed query")
	}
	query.Del("code")
	query.Del("state")
	rewritten := (&url.URL{Path: u.Path, RawQuery: query.Encode()}).RequestURI()
	if len(rewritten) > maxReturnTo {
		return "", errors.New("return_to is longer than 512 bytes")
	}
	return rewritten, nil
}

// isClean reports whether p is an absolute path without empty, "." or ".."
// elements; it may end in a slash.
func isClean(p string) bool {
	clean := path.Clean(p)
	return strings.HasPrefix(p, "/") && (p == clean || clean != "/" && p == clean+"/")
}

func isUnsafe(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }
