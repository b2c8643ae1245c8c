package phone

import (
	"net/http"
	"slices"
	"strings"
)

// rewritePolicies applies rewritePolicy to every policy of one header and
// returns the first script nonce found.
func rewritePolicies(h http.Header, name, client string) (nonce string) {
	values := h.Values(name)
	h.Del(name)
	for _, value := range values {
		var kept []string
		// A comma separates whole policies inside one header value.
		for policy := range strings.SplitSeq(value, ",") {
			rewritten, n := rewritePolicy(policy, client)
			if nonce == "" {
				nonce = n
			}
			if rewritten != "" {
				kept = append(kept, rewritten)
			}
		}
		if len(kept) > 0 {
			h.Add(name, strings.Join(kept, ", "))
		}
	}
	return nonce
}

// directive is one part of a Content-Security-Policy: connect-src 'self'.
type directive struct {
	name    string // lower case
	sources []string
}

// rewritePolicy adapts a Content-Security-Policy to the webview. frame-ancestors is removed,
// because a webview is no frame. If the policy blocks the client's own script or calls, which are
// below the URL client, that URL is added. Nothing else changes, because the policy applies to the
// page and not to WeChat's client.
func rewritePolicy(policy, client string) (rewritten, nonce string) {
	var directives []directive
	for part := range strings.SplitSeq(policy, ";") {
		fields := strings.Fields(part)
		if len(fields) == 0 {
			continue
		}
		if name := strings.ToLower(fields[0]); name != "frame-ancestors" {
			directives = append(directives, directive{name, fields[1:]})
		}
	}
	// The first name that is present decides, default-src last of all.
	directives = allow(directives, client, "script-src-elem", "script-src")
	directives = allow(directives, client, "connect-src")
	var kept []string
	for _, d := range directives {
		if nonce == "" && (strings.HasPrefix(d.name, "script-src") || d.name == "default-src") {
			nonce = sourceNonce(d.sources)
		}
		kept = append(kept, strings.Join(append([]string{d.name}, d.sources...), " "))
	}
	return strings.Join(kept, "; "), nonce
}

// allow adds client to the directive that governs the named kind of load, unless
// it allows the page's own origin.
func allow(directives []directive, client string, names ...string) []directive {
	for _, name := range append(names, "default-src") {
		i := slices.IndexFunc(directives, func(d directive) bool { return d.name == name })
		if i < 0 {
			continue
		}
		sources := directives[i].sources
		if slices.ContainsFunc(sources, allowsSelf) {
			return directives
		}
		sources = slices.DeleteFunc(slices.Clone(sources), isNone)
		sources = append(sources, client)
		if name == "default-src" {
			// Its other uses (images, styles, ...) stay as they are.
			return append(directives, directive{names[len(names)-1], sources})
		}
		directives[i].sources = sources
		return directives
	}
	return directives
}

func allowsSelf(source string) bool { return strings.EqualFold(source, "'self'") || source == "*" }

func isNone(source string) bool { return strings.EqualFold(source, "'none'") }

func sourceNonce(sources []string) string {
	for _, s := range sources {
		if rest, ok := strings.CutPrefix(s, "'nonce-"); ok {
			return strings.TrimSuffix(rest, "'")
		}
	}
	return ""
}
