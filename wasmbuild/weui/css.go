package main

import (
	"errors"
	"strings"
)

// rule is a rule of a style sheet, or a block of them.
type rule struct {
	head  string   // selectors, or "@media ..."
	decls []string // declarations, without ";"
	rules []rule   // of an @media or @supports
}

var errBraces = errors.New("the braces of the style sheet do not match")

// parse reads a style sheet without comments, such as a minified one.
func parse(css string) ([]rule, error) {
	var rules []rule
	for css = strings.TrimSpace(css); css != ""; css = strings.TrimSpace(css) {
		open := index(css, '{')
		if open < 0 {
			return nil, errBraces
		}
		end := closing(css, open)
		if end < 0 {
			return nil, errBraces
		}
		r := rule{head: strings.TrimSpace(css[:open])}
		body := css[open+1 : end]
		css = css[end+1:]
		if strings.HasPrefix(r.head, "@media") || strings.HasPrefix(r.head, "@supports") {
			var err error
			if r.rules, err = parse(body); err != nil {
				return nil, err
			}
		} else if strings.Contains(r.head, "@") {
			r.decls = []string{body} // keyframes, whole
		} else {
			r.decls = split(body, ';')
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// write prints rules as parse reads them.
func write(b *strings.Builder, rules []rule) {
	for _, r := range rules {
		b.WriteString(r.head)
		b.WriteByte('{')
		b.WriteString(strings.Join(r.decls, ";"))
		write(b, r.rules)
		b.WriteByte('}')
	}
}

// index finds a byte outside of strings and parentheses, -1 when there is none.
func index(css string, want byte) int {
	depth := 0
	var quote byte
	for i := 0; i < len(css); i++ {
		c := css[i]
		switch {
		case quote != 0:
			if c == '\\' {
				i++
			} else if c == quote {
				quote = 0
			}
		case c == want && depth == 0:
			return i
		case c == '"' || c == '\'':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			depth--
		}
	}
	return -1
}

// closing finds the brace that ends the block opened at a place.
func closing(css string, open int) int {
	depth := 1
	for at := open + 1; ; {
		end := index(css[at:], '}')
		if end < 0 {
			return -1
		}
		for rest := css[at : at+end]; ; {
			next := index(rest, '{')
			if next < 0 {
				break
			}
			depth++
			rest = rest[next+1:]
		}
		if depth--; depth == 0 {
			return at + end
		}
		at += end + 1
	}
}

// split cuts at a separator outside of strings and parentheses.
func split(css string, separator byte) (parts []string) {
	for css != "" {
		at := index(css, separator)
		if at < 0 {
			return append(parts, css)
		}
		parts = append(parts, css[:at])
		css = css[at+1:]
	}
	return parts
}
