package e2e

import (
	"strings"

	"github.com/chromedp/cdproto/emulation"
)

// screens are the sizes on which a page must look right. The second is a small phone with large
// text, which WeChat sets with the same property.
var screens = []struct {
	name          string
	width, height int64
	mobile        bool
	text          string
}{
	{"390x844", 390, 844, true, ""},
	{"360x640-large-text", 360, 640, true, "140%"},
	{"1280x800", 1280, 800, false, ""},
}

// tooWide is an expression for the width of a page that is wider than the screen, and "" for any other.
// A phone zooms out of a page that is too wide, and innerWidth grows with it.
const tooWide = `document.documentElement.scrollWidth > document.documentElement.clientWidth ? document.documentElement.scrollWidth : ""`

// screenshots saves the tab on every screen in both themes as artifacts. axe-core checks it in both
// themes, and the page must not be wider than the screen. It restores the tab's settings.
func (tb *tab) screenshots(name string) {
	tb.t.Helper()
	for _, theme := range []string{"dark", "light"} {
		tb.theme(theme)
		tb.accessible(name + ", " + theme)
		for _, s := range screens {
			tb.run(emulation.SetDeviceMetricsOverride(s.width, s.height, 1, s.mobile))
			tb.eval(`document.documentElement.style.setProperty("-webkit-text-size-adjust", "` + s.text + `")`)
			tb.screenshot(strings.Join([]string{"look", name, s.name, theme}, "-"))
			if wide := tb.eval(tooWide); wide != "" {
				tb.t.Errorf("%s on %s is %s wide", name, s.name, wide)
			}
		}
		tb.eval(`document.documentElement.style.removeProperty("-webkit-text-size-adjust")`)
		tb.run(emulation.SetDeviceMetricsOverride(390, 844, 2, true))
	}
}
