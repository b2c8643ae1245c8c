package wechat

import (
	"net/url"
	"strings"
)

// digits reports whether s is decimal digits, at least one.
func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func alphanumeric(s string) bool { return alphanumericOr(s, "") }

// alphanumericOr is alphanumeric for texts that may also have the characters of more.
func alphanumericOr(s, more string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune(more, r))
	})
}

// absolute reports whether s is an http or https URL with a host and without a user. It
// must have no space, which escaping would turn into "+".
func absolute(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && u.User == nil && !strings.Contains(s, " ")
}

// visible reports whether s is 1 to limit visible ASCII characters.
func visible(s string, limit int) bool {
	return len(s) >= 1 && len(s) <= limit && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
