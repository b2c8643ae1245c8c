package main

import "testing"

func TestLangOf(t *testing.T) {
	for _, test := range []struct {
		tag, chosen string
		want        lang
		html        string
	}{
		{"zh-CN", "", chinese, "zh-CN"},
		{"ZH-hant-TW", "", chinese, "zh-CN"},
		{"en-GB", "", english, "en"},
		{"de", "", english, "en"},
		{"en-US", "zh", chinese, "zh-CN"},
		{"zh", "en", english, "en"},
		{"zh", "klingon", chinese, "zh-CN"},
		{"", "", prerendered, "zh-CN"},
	} {
		f := newFake(t, "https://shop.example/")
		f.tag = test.tag
		f.Set(keyLang, test.chosen)
		if got := langOf(f); got != test.want || got.tag() != test.html {
			t.Errorf("%q, chosen %q: %q, %s", test.tag, test.chosen, got, got.tag())
		}
	}
}
