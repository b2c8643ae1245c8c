package e2e

import (
	"strings"

	"github.com/chromedp/cdproto/emulation"
)

// screens are what a page has to look right on. The second is a small phone
// whose owner made text large, which WeChat does by the same property.
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

// screenshots keeps what the tab shows on every screen, light and dark, as artifacts
// for the eye; axe-core judges it in both themes, and nothing may stick out at
// the side. The tab is left as newTab made it.
func (tb *tab) screenshots(name string) {
	tb.t.Helper()
	for _, theme := range []string{"dark", "light"} {
		tb.theme(theme)
		tb.accessible(name + ", " + theme)
		for _, s := range screens {
			tb.run(emulation.SetDeviceMetricsOverride(s.width, s.height, 1, s.mobile))
			tb.eval(`document.documentElement.style.setProperty("-webkit-text-size-adjust", "` + s.text + `")`)
			tb.screenshot(strings.Join([]string{"look", name, s.name, theme}, "-"))
			if wide := tb.eval(`document.documentElement.scrollWidth > innerWidth ? document.documentElement.scrollWidth : ""`); wide != "" {
				tb.t.Errorf("%s on %s is %s wide", name, s.name, wide)
			}
		}
		tb.eval(`document.documentElement.style.removeProperty("-webkit-text-size-adjust")`)
		tb.run(emulation.SetDeviceMetricsOverride(390, 844, 2, true))
	}
}
