package main

import (
	"testing"

	"h5pay/wasm/ui"
)

func TestLangOf(t *testing.T) {
	for _, test := range []struct {
		tag, chosen string
		want        ui.Lang
		html        string
	}{
		{"zh-CN", "", ui.Chinese, "zh-CN"},
		{"ZH-hant-TW", "", ui.Chinese, "zh-CN"},
		{"en-GB", "", ui.English, "en"},
		{"de", "", ui.English, "en"},
		{"en-US", "zh", ui.Chinese, "zh-CN"},
		{"zh", "en", ui.English, "en"},
		{"zh", "klingon", ui.Chinese, "zh-CN"},
		{"", "", ui.Prerendered, "zh-CN"},
	} {
		f := newFake(t, "https://shop.example/")
		f.tag = test.tag
		f.Set(ui.KeyLang, test.chosen)
		if got := langOf(f); got != test.want || got.Tag() != test.html {
			t.Errorf("%q, chosen %q: %q, %s", test.tag, test.chosen, got, got.Tag())
		}
	}
}
