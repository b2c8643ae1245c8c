package main

import "strings"

// text is one sentence of the page in every language. All of them are in strings.go.
type text struct{ zh, en string }

// lang is a language of the page.
type lang string

// The languages. Prerendered HTML is Chinese and carries the English text beside it, so that a
// script can replace it before the first paint.
const (
	prerendered lang = ""
	chinese     lang = "zh"
	english     lang = "en"
)

// keyLang is the setting with the language that the user chose. The script that replaces
// prerendered texts reads it too.
const keyLang = "h5pay.lang"

// langOf returns the language that the user chose, else the browser's.
func langOf(b browser) lang {
	switch l := lang(b.Setting(keyLang)); l {
	case chinese, english:
		return l
	}
	switch tag := strings.ToLower(b.Language()); {
	case tag == "":
		return prerendered
	case strings.HasPrefix(tag, "zh"):
		return chinese
	}
	return english
}

// of returns the sentence in the language.
func (l lang) of(t text) string {
	if l == english {
		return t.en
	}
	return t.zh
}

// other returns the language that the page offers instead.
func (l lang) other() lang {
	if l == english {
		return chinese
	}
	return english
}

// tag returns the language tag for <html lang>.
func (l lang) tag() string {
	if l == english {
		return "en"
	}
	return "zh-CN"
}
