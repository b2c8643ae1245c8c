package main

import (
	"regexp"
	"slices"
	"strings"
)

var (
	className = regexp.MustCompile(`weui-[A-Za-z0-9_-]*[A-Za-z0-9]`)
	class     = regexp.MustCompile(`\.(-?[A-Za-z_][A-Za-z0-9_-]*)`)
	not       = regexp.MustCompile(`:not\([^()]*\)`)
	attribute = regexp.MustCompile(`\[data-weui-`)
	variable  = regexp.MustCompile(`var\((--[A-Za-z0-9-]+)`)
	animation = regexp.MustCompile(`animation(?:-name)?:([^;}]*)`)
)

// prune returns of a style sheet what the sources use.
func prune(css string, sources []string) (string, error) {
	rules, err := parse(css)
	if err != nil {
		return "", err
	}
	used := map[string]bool{}
	for _, source := range sources {
		for _, name := range className.FindAllString(source, -1) {
			used[name] = true
		}
	}
	rules = keepRules(rules, used)
	rules = keepAnimations(rules)
	// A variable may be read by another one only, so drop until none is left.
	for {
		kept := print(rules)
		read := map[string]bool{}
		for _, text := range append(sources, kept) {
			for _, m := range variable.FindAllStringSubmatch(text, -1) {
				read[m[1]] = true
			}
		}
		rules = keepVariables(rules, read)
		if print(rules) == kept {
			return kept, nil
		}
	}
}

func print(rules []rule) string {
	var b strings.Builder
	write(&b, rules)
	return b.String()
}

// keepRules drops the selectors that can match nothing.
func keepRules(rules []rule, used map[string]bool) (kept []rule) {
	for _, r := range rules {
		if r.rules != nil {
			if r.rules = keepRules(r.rules, used); len(r.rules) > 0 {
				kept = append(kept, r)
			}
			continue
		}
		if !strings.HasPrefix(r.head, "@") {
			selectors := slices.DeleteFunc(split(r.head, ','), func(s string) bool { return !matches(s, used) })
			if len(selectors) == 0 {
				continue
			}
			r.head = strings.Join(selectors, ",")
		}
		kept = append(kept, r)
	}
	return kept
}

// matches reports whether a selector may match something of the page, which sets
// none of WeUI's attributes for a theme or a mode.
func matches(selector string, used map[string]bool) bool {
	selector = not.ReplaceAllString(selector, "")
	if attribute.MatchString(selector) {
		return false
	}
	for _, m := range class.FindAllStringSubmatch(selector, -1) {
		if !used[m[1]] {
			return false
		}
	}
	return true
}

// keepVariables drops the declarations of variables that nobody reads.
func keepVariables(rules []rule, read map[string]bool) (kept []rule) {
	for _, r := range rules {
		if r.rules != nil {
			if r.rules = keepVariables(r.rules, read); len(r.rules) > 0 {
				kept = append(kept, r)
			}
			continue
		}
		r.decls = slices.DeleteFunc(slices.Clone(r.decls), func(d string) bool {
			name, _, _ := strings.Cut(d, ":")
			return strings.HasPrefix(name, "--") && !read[name]
		})
		if len(r.decls) > 0 {
			kept = append(kept, r)
		}
	}
	return kept
}

// keepAnimations drops the keyframes that no rule names.
func keepAnimations(rules []rule) []rule {
	named := map[string]bool{}
	for _, m := range animation.FindAllStringSubmatch(print(rules), -1) {
		for _, word := range strings.FieldsFunc(m[1], func(r rune) bool { return r == ' ' || r == ',' }) {
			named[word] = true
		}
	}
	return slices.DeleteFunc(rules, func(r rule) bool {
		_, name, ok := strings.Cut(r.head, "keyframes ")
		return ok && !named[name]
	})
}
