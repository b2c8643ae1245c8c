package postgres

import (
	"fmt"
	"strings"
)

// kind is what a token is.
type kind int

const (
	space  kind = iota // white space or a comment
	word               // a keyword or a name
	number             // a number
	text               // a string in quotes
	mark               // a placeholder: ? or ?3
	symbol             // an operator, a bracket, a comma or a semicolon
)

// token is the smallest part of a statement.
type token struct {
	kind kind
	text string
}

// is reports whether a token is one of these keywords or symbols.
func (t token) is(texts ...string) bool {
	if t.kind != word && t.kind != symbol {
		return false
	}
	for _, s := range texts {
		if strings.EqualFold(t.text, s) {
			return true
		}
	}
	return false
}

func isLetter(c byte) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= 0x80
}
func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// operators are the symbols of more than one character.
var operators = []string{"->>", "->", "||", "<>", "<=", ">=", "!=", "==", "<<", ">>"}

// tokens divides SQL. Joined, the tokens are the SQL again.
func tokens(sql string) ([]token, error) {
	var all []token
	for at := 0; at < len(sql); {
		rest, n, k := sql[at:], 1, symbol
		switch c := rest[0]; {
		case strings.ContainsRune(" \t\r\n", rune(c)):
			k, n = space, len(rest)-len(strings.TrimLeft(rest, " \t\r\n"))
		case strings.HasPrefix(rest, "--"):
			if k, n = space, strings.IndexByte(rest, '\n'); n < 0 {
				n = len(rest)
			}
		case c == '\'':
			k, n = text, quoted(rest)
		case c == '"':
			k, n = word, quoted(rest)
		case isLetter(c):
			for k = word; n < len(rest) && (isLetter(rest[n]) || isDigit(rest[n])); n++ {
			}
		case isDigit(c):
			for k = number; n < len(rest) && (isDigit(rest[n]) || rest[n] == '.'); n++ {
			}
		case c == '?':
			for k = mark; n < len(rest) && isDigit(rest[n]); n++ {
			}
		case c == '`', c == '[', c == '/' && strings.HasPrefix(rest, "/*"):
			return nil, fmt.Errorf("%.20q is not translated: use plain names, and -- for comments", rest)
		default:
			for _, o := range operators {
				if strings.HasPrefix(rest, o) {
					n = len(o)
					break
				}
			}
		}
		if n == 0 {
			return nil, fmt.Errorf("a string has no end: %.20q", rest)
		}
		all = append(all, token{k, rest[:n]})
		at += n
	}
	return all, nil
}

// quoted returns the length of the string or name in quotes with which s begins, 0 if it has no end.
func quoted(s string) int {
	for n := 1; n < len(s); n++ {
		if s[n] != s[0] {
			continue
		}
		if n+1 == len(s) || s[n+1] != s[0] {
			return n + 1
		}
		n++
	}
	return 0
}

// join is the reverse of tokens.
func join(all []token) string {
	var b strings.Builder
	for _, t := range all {
		b.WriteString(t.text)
	}
	return b.String()
}

// next returns the index of the first token from at on that is no space, len(all) if there is none.
func next(all []token, at int) int {
	for at < len(all) && all[at].kind == space {
		at++
	}
	return at
}

// at returns the token at an index, an empty one beyond the end.
func at(all []token, i int) token {
	if i < 0 || i >= len(all) {
		return token{}
	}
	return all[i]
}

// closing returns the index of the bracket that closes the one at an index.
func closing(all []token, open int) (int, error) {
	depth := 0
	for i := open; i < len(all); i++ {
		switch {
		case all[i].is("("):
			depth++
		case all[i].is(")"):
			if depth--; depth == 0 {
				return i, nil
			}
		}
	}
	return 0, fmt.Errorf("a bracket has no end: %.40q", join(all[open:]))
}

// split divides tokens at the separators that stand in no brackets.
func split(all []token, separator string) [][]token {
	var parts [][]token
	depth, from := 0, 0
	for i, t := range all {
		switch {
		case t.is("("):
			depth++
		case t.is(")"):
			depth--
		case depth == 0 && t.is(separator):
			parts, from = append(parts, all[from:i]), i+1
		}
	}
	return append(parts, all[from:])
}

// trim removes the space around tokens.
func trim(all []token) []token {
	for len(all) > 0 && all[0].kind == space {
		all = all[1:]
	}
	for len(all) > 0 && all[len(all)-1].kind == space {
		all = all[:len(all)-1]
	}
	return all
}
