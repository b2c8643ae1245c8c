//go:build !js

package main

import (
	"regexp"
	"slices"
	"strings"
)

// prune returns what the page needs of a style sheet that was made for everything:
// the rules for the classes and attributes that are used, and of its variables
// those that these rules or the sheet over it refer to.
func prune(sheet, over string, used func(name string) bool) string {
	rules := parseStyle(sheet)
	rules = keepUsed(rules, used)
	live := map[string]bool{}
	refer(live, over)
	for grown := -1; grown != len(live); { // variables refer to variables
		grown = len(live)
		eachDeclaration(rules, func(name, declaration string) bool {
			if !strings.HasPrefix(name, "--") || live[name] {
				refer(live, declaration)
			}
			return true
		})
	}
	rules = eachDeclaration(rules, func(name, _ string) bool { return !strings.HasPrefix(name, "--") || live[name] })
	all := writeStyle(rules) + over
	rules = slices.DeleteFunc(rules, func(r styleRule) bool {
		name, ok := r.animation()
		return ok && strings.Count(all, name) == strings.Count(all, "keyframes "+name)
	})
	return strings.Join(license.FindAllString(sheet, -1), "") + writeStyle(rules)
}

// styleRule is one of a style sheet: with selectors and declarations, or, when it
// begins with @media or @supports, with rules in it.
type styleRule struct {
	prelude, block string
	rules          []styleRule
}

func (r styleRule) nests() bool {
	return strings.HasPrefix(r.prelude, "@media") || strings.HasPrefix(r.prelude, "@supports")
}

// animation returns the name of the animation that a rule describes.
func (r styleRule) animation() (name string, ok bool) {
	_, name, ok = strings.Cut(r.prelude, "keyframes ")
	return name, ok && r.prelude[0] == '@'
}

// license is a comment that has to stay.
var license = regexp.MustCompile(`(?s)/\*!.*?\*/`)

var comment = regexp.MustCompile(`(?s)/\*.*?\*/`)

// parseStyle takes a style sheet apart. Comments go.
func parseStyle(sheet string) (rules []styleRule) {
	rest := comment.ReplaceAllString(sheet, "")
	for {
		open := topLevel(rest, '{')
		if open < 0 {
			return rules
		}
		r := styleRule{prelude: strings.TrimSpace(rest[:open])}
		end := open + 1 + topLevel(rest[open+1:], '}')
		if end <= open {
			end = len(rest)
		}
		r.block, rest = rest[open+1:end], rest[min(end+1, len(rest)):]
		if r.nests() {
			r.rules = parseStyle(r.block)
		}
		rules = append(rules, r)
	}
}

// topLevel returns where a character is outside of strings, brackets and blocks,
// or -1.
func topLevel(s string, c byte) int {
	depth, quote := 0, byte(0)
	for i := range len(s) {
		switch b := s[i]; {
		case quote != 0:
			if b == quote && s[i-1] != '\\' {
				quote = 0
			}
		case b == c && depth == 0:
			return i
		case b == '"' || b == '\'':
			quote = b
		case b == '(' || b == '{' || b == '[':
			depth++
		case b == ')' || b == '}' || b == ']':
			depth--
		}
	}
	return -1
}

// splitTop cuts a list at the separators outside of strings and brackets.
func splitTop(s string, separator byte) (parts []string) {
	for {
		at := topLevel(s, separator)
		if at < 0 {
			return append(parts, s)
		}
		parts, s = append(parts, s[:at]), s[at+1:]
	}
}

var (
	negation = regexp.MustCompile(`:not\([^)]*\)`) // of what is not used it is true
	named    = regexp.MustCompile(`\.([\w-]+)|\[([\w-]+)`)
)

// keepUsed drops selectors that can match nothing, and rules without any.
func keepUsed(rules []styleRule, used func(string) bool) (kept []styleRule) {
	for _, r := range rules {
		switch {
		case r.nests():
			if r.rules = keepUsed(r.rules, used); len(r.rules) == 0 {
				continue
			}
		case !strings.HasPrefix(r.prelude, "@"):
			var selectors []string
		selectors:
			for _, s := range splitTop(r.prelude, ',') {
				for _, m := range named.FindAllStringSubmatch(negation.ReplaceAllString(s, ""), -1) {
					if !used(m[1] + m[2]) {
						continue selectors
					}
				}
				selectors = append(selectors, s)
			}
			if selectors == nil {
				continue
			}
			r.prelude = strings.Join(selectors, ",")
		}
		kept = append(kept, r)
	}
	return kept
}

var variable = regexp.MustCompile(`var\(\s*(--[\w-]+)`)

// refer notes the variables that a text refers to.
func refer(live map[string]bool, text string) {
	for _, m := range variable.FindAllStringSubmatch(text, -1) {
		live[m[1]] = true
	}
}

// eachDeclaration returns the rules with the declarations for which keep is true.
func eachDeclaration(rules []styleRule, keep func(name, declaration string) bool) (kept []styleRule) {
	for _, r := range rules {
		switch {
		case r.nests():
			if r.rules = eachDeclaration(r.rules, keep); len(r.rules) == 0 {
				continue
			}
		case !strings.HasPrefix(r.prelude, "@"):
			var all []string
			for _, d := range splitTop(r.block, ';') {
				name, _, _ := strings.Cut(strings.TrimSpace(d), ":")
				if name != "" && keep(name, d) {
					all = append(all, d)
				}
			}
			if all == nil {
				continue
			}
			r.block = strings.Join(all, ";")
		}
		kept = append(kept, r)
	}
	return kept
}

func writeStyle(rules []styleRule) string {
	var b strings.Builder
	for _, r := range rules {
		block := r.block
		if r.nests() {
			block = writeStyle(r.rules)
		}
		b.WriteString(r.prelude + "{" + block + "}")
	}
	return b.String()
}

// sourceWord is what may be the name of a class or an attribute in the sources. One
// that ends in a hyphen or an underscore may be put together with anything.
var sourceWord = regexp.MustCompile(`[A-Za-z][\w-]*`)

// usedNames returns whether a class or an attribute may occur on the page, by the
// words of the sources of the program and of the site.
func usedNames(sources string) func(name string) bool {
	words := map[string]bool{}
	var beginnings []string
	for _, word := range sourceWord.FindAllString(sources, -1) {
		if !words[word] && strings.ContainsAny(word[len(word)-1:], "_-") {
			beginnings = append(beginnings, word)
		}
		words[word] = true
	}
	return func(name string) bool {
		if words[name] || words[strings.TrimPrefix(name, "data-")] || words[strings.TrimPrefix(name, "aria-")] {
			return true
		}
		for _, b := range beginnings {
			if strings.HasPrefix(name, b) {
				return true
			}
		}
		return false
	}
}
