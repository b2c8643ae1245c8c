package main

import "strings"

// text is one sentence of the page in every language it speaks. They all stand
// in strings.go.
type text struct{ zh, en string }

// lang is the language of the page.
type lang string

// The languages. What is prerendered is Chinese and carries the English beside
// it, so that a script can swap them before the first paint.
const (
	prerendered lang = ""
	chinese     lang = "zh"
	english     lang = "en"
)

// keyLang is the setting in which the user's own choice is kept; the script
// that swaps prerendered texts reads it too.
const keyLang = "h5pay.lang"

// langOf returns the language the user chose, or else the browser's.
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

// of returns a sentence in the language.
func (l lang) of(t text) string {
	if l == english {
		return t.en
	}
	return t.zh
}

// other returns the language to offer instead.
func (l lang) other() lang {
	if l == english {
		return chinese
	}
	return english
}

// tag is the language as <html lang> has it.
func (l lang) tag() string {
	if l == english {
		return "en"
	}
	return "zh-CN"
}
