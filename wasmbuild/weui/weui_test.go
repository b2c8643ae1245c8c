package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestPrune(t *testing.T) {
	const css = `.wx-root,body{--weui-A:#fff;--weui-B:var(--weui-C);--weui-C:red;--weui-D:1px}` +
		`@media (prefers-color-scheme:dark){.wx-root:not([data-weui-theme="light"]),body:not([data-weui-theme="light"]){--weui-A:#000;--weui-D:2px}}` +
		`body[data-weui-theme="dark"]{--weui-A:#000}` +
		`*{margin:0}.weui-btn,.weui-cell{color:var(--weui-A)}.weui-btn_mini .weui-btn{color:red}.weui-btn.weui-btn_primary:active::before{content:"}{;,"}` +
		`.weui-icon{mask:url(data:image/svg+xml,%3Csvg{;})}.weui-cell{animation:b 1s}.weui-load{animation:a 1s steps(60) infinite}` +
		`@keyframes a{from{opacity:0}to{opacity:1}}@keyframes b{from{opacity:0}to{opacity:1}}@media print{.weui-cell{color:red}}`
	got, err := prune(css, []string{`elem("a").Class("weui-btn weui-btn_primary")`, `weui-icon, "weui-load"`, `.x { color: var(--weui-B); }`})
	if err != nil {
		t.Fatal(err)
	}
	const want = `body{--weui-A:#fff;--weui-B:var(--weui-C);--weui-C:red}` +
		`@media (prefers-color-scheme:dark){body:not([data-weui-theme="light"]){--weui-A:#000}}` +
		`*{margin:0}.weui-btn{color:var(--weui-A)}.weui-btn.weui-btn_primary:active::before{content:"}{;,"}` +
		`.weui-icon{mask:url(data:image/svg+xml,%3Csvg{;})}.weui-load{animation:a 1s steps(60) infinite}` +
		`@keyframes a{from{opacity:0}to{opacity:1}}`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, broken := range []string{"a{", "a", "@media x{a{}", "a{b:c}}"} {
		if _, err := prune(broken, nil); err == nil {
			t.Errorf("%s has no mistake", broken)
		}
	}
}

// Of WeUI itself, all that it says of a class of the page stays: every rule whose
// classes the page has, word for word.
func TestNothingOfThePageIsLost(t *testing.T) {
	whole, err := os.ReadFile("../../node_modules/weui/dist/style/weui.min.css")
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "weui.css")
	if err := run(out, "../../node_modules/weui/dist/style/weui.min.css", []string{"../../wasm", "../../public/web"}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	pruned := string(text)
	if len(pruned) > 30_000 || len(pruned) < 5_000 {
		t.Errorf("%d bytes of %d", len(pruned), len(whole))
	}
	for _, name := range []string{"weui-btn", "weui-btn_primary", "weui-btn_default", "weui-btn_mini", "weui-msg", "weui-msg__title", "weui-badge", "weui-icon-success", "weui-icon-warn", "weui-icon-waiting", "weui-primary-loading"} {
		alone := regexp.MustCompile(`[{},]\.` + name + `\{([^{}]*)\}`)
		for _, m := range alone.FindAllStringSubmatch(string(whole), -1) {
			if !strings.Contains(pruned, m[1]) {
				t.Errorf("%s lost %s", name, m[1])
			}
		}
		if !strings.Contains(pruned, "."+name) {
			t.Errorf("%s is gone", name)
		}
	}
	for _, m := range variable.FindAllStringSubmatch(pruned, -1) {
		if !strings.Contains(pruned, m[1]+":") && strings.Contains(string(whole), m[1]+":") {
			t.Errorf("%s is read, and not set", m[1])
		}
	}
	if strings.Contains(pruned, "weui-picker") || strings.Contains(pruned, "weui-cells_form") {
		t.Error("parts stay that no screen has")
	}
}
