package openapi

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// chineseText has the texts of the page in both languages: a line in English, the line in Chinese, and
// an empty line. A text whose English changes needs its Chinese anew.
//
//go:embed chinese.txt
var chineseText string

// Language is a language of the page.
type Language struct {
	Tag, Name string // "zh-CN", 中文
	File      string // of the page
	Other     string // name of the other language
	OtherTag  string
	OtherURL  string            // of the page in the other language
	Stop      string            // between sentences
	texts     map[string]string // by the English text; nil for English
}

// Languages are the languages of the page.
var Languages = []Language{
	{Tag: "en", Name: "English", File: "docs.html", Other: "中文", OtherTag: "zh-CN", OtherURL: "/v1/docs-zh", Stop: ". "},
	{Tag: "zh-CN", Name: "中文", File: "docs-zh.html", Other: "English", OtherTag: "en", OtherURL: "/v1/docs?lang=en", Stop: "。", texts: chinese()},
}

// chinese returns the Chinese texts by the English ones.
func chinese() map[string]string {
	all := map[string]string{}
	for pair := range strings.SplitSeq(strings.TrimSpace(chineseText), "\n\n") {
		english, text, _ := strings.Cut(pair, "\n")
		all[english] = text
	}
	return all
}

// translation translates the texts of one page.
type translation struct {
	texts map[string]string
	used  map[string]bool
	lacks map[string]bool
}

// text returns a text in the language of the page.
func (l *translation) text(english string) string {
	if l.texts == nil || english == "" {
		return english
	}
	text, ok := l.texts[english]
	if !ok || text == "" {
		if l.lacks == nil {
			l.lacks = map[string]bool{}
		}
		l.lacks[english] = true
		return english
	}
	if l.used == nil {
		l.used = map[string]bool{}
	}
	l.used[english] = true
	return text
}

// missing returns an error that names the texts without a translation and those of no page, nil if
// there are none.
func (l *translation) missing() error {
	if len(l.lacks) > 0 {
		return fmt.Errorf("chinese.txt lacks %q", slices.Sorted(maps.Keys(l.lacks)))
	}
	var unused []string
	for english := range l.texts {
		if !l.used[english] {
			unused = append(unused, english)
		}
	}
	if len(unused) > 0 {
		slices.Sort(unused)
		return fmt.Errorf("chinese.txt has texts of no page: %q", unused)
	}
	return nil
}
