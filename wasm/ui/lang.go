package ui

import "strings"

// Text is one sentence of a page in every language. It is an unnamed struct, so that every package
// can write {"中文", "English"}.
type Text = struct{ ZH, EN string }

// Lang is a language of a page.
type Lang string

// The languages. Prerendered HTML is Chinese and carries the English text beside it, so that a
// script can replace it before the first paint.
const (
	Prerendered Lang = ""
	Chinese     Lang = "zh"
	English     Lang = "en"
)

// KeyLang is the setting with the language that the user chose. The script that replaces
// prerendered texts reads it too.
const KeyLang = "h5pay.lang"

// LangOf returns the language that the user chose, which is the setting KeyLang, else the
// browser's, which is a tag like "zh-CN".
func LangOf(setting, tag string) Lang {
	switch l := Lang(setting); l {
	case Chinese, English:
		return l
	}
	switch tag := strings.ToLower(tag); {
	case tag == "":
		return Prerendered
	case strings.HasPrefix(tag, "zh"):
		return Chinese
	}
	return English
}

// Of returns the sentence in the language.
func (l Lang) Of(t Text) string {
	if l == English {
		return t.EN
	}
	return t.ZH
}

// Other returns the language that the page offers instead.
func (l Lang) Other() Lang {
	if l == English {
		return Chinese
	}
	return English
}

// Tag returns the language tag for <html lang>.
func (l Lang) Tag() string {
	if l == English {
		return "en"
	}
	return "zh-CN"
}
