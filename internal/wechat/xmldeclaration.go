package wechat

import "strings"

// declaration reads <?xml version="1.0" encoding="UTF-8" standalone="yes"?> if
// a message begins with it. The last two parts may be missing; under another
// encoding the bytes that follow would mean something else.
func (p *parser) declaration() error {
	if !p.take("<?xml") {
		return nil
	}
	content, ok := p.until("?>")
	if !ok {
		return malformed
	}
	rest := string(content)
	version, _, rest := pseudoAttribute(rest, "version")
	encoding, named, rest := pseudoAttribute(rest, "encoding")
	if named && !strings.EqualFold(encoding, "utf-8") {
		return &ParseError{"encoding other than UTF-8"}
	}
	_, _, rest = pseudoAttribute(rest, "standalone")
	if version != "1.0" || strings.Trim(rest, spaces) != "" {
		return malformed
	}
	return nil
}

// pseudoAttribute reads name="value" and white space before it. It returns the
// value, "" when it is malformed, whether the name comes next, and what follows.
func pseudoAttribute(s, name string) (value string, named bool, rest string) {
	after, named := strings.CutPrefix(strings.TrimLeft(s, spaces), name)
	if !named || strings.TrimLeft(s, spaces) == s {
		return "", false, s
	}
	after, ok := strings.CutPrefix(strings.TrimLeft(after, spaces), "=")
	after = strings.TrimLeft(after, spaces)
	if !ok || after == "" || after[0] != '"' && after[0] != '\'' {
		return "", true, s
	}
	value, rest, ok = strings.Cut(after[1:], after[:1])
	if !ok {
		return "", true, s
	}
	return value, true, rest
}
