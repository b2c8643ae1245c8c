package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// axeSource is the source of axe-core, which npm installed. It runs through the debugger, to which
// the page's policy does not apply.
var axeSource = sync.OnceValues(func() (string, error) {
	source, err := os.ReadFile("../node_modules/axe-core/axe.min.js")
	return string(source), err
})

// violation is a finding of axe-core.
type violation struct {
	Rule  string
	Help  string
	Nodes []struct{ Target, HTML, Why string }
}

// accessible fails the test for every violation that axe-core finds in the tab. Frames are separate
// pages.
func (tb *tab) accessible(what string) {
	tb.t.Helper()
	source, err := axeSource()
	if err != nil {
		tb.t.Fatal(err)
	}
	tb.await(settled + `.then(() => "")`)
	if tb.eval("typeof axe") != "object" {
		tb.run(chromedp.Evaluate(source, nil))
	}
	raw := tb.await(`axe.run(document, {iframes: false, resultTypes: ["violations"]}).then(({violations}) => JSON.stringify(violations.map(v => ({
		Rule: v.id, Help: v.help, Nodes: v.nodes.map(n => ({Target: n.target.join(" "), HTML: n.html, Why: n.failureSummary})),
	}))))`)
	var found []violation
	if err := json.Unmarshal([]byte(raw), &found); err != nil {
		tb.t.Fatalf("axe said %s: %v", raw, err)
	}
	for _, v := range found {
		var b strings.Builder
		for _, n := range v.Nodes {
			fmt.Fprintf(&b, "\n  %s\n    %s\n    %s", n.Target, n.HTML, strings.ReplaceAll(n.Why, "\n", " "))
		}
		tb.t.Errorf("%s: %s (%s)%s", what, v.Help, v.Rule, b.String())
	}
}

// theme sets the system's theme to light or dark.
func (tb *tab) theme(name string) {
	tb.t.Helper()
	tb.run(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}))
}

// axe-core works under the page's policy: it finds violations that the test adds.
func TestAxeFindsViolations(t *testing.T) {
	tb := newTab(t)
	tb.open(world.shop.URL + "/404")
	tb.run(chromedp.Evaluate(`document.body.append(document.createElement("img")); document.querySelector("img").src = "/web/icon.svg"`, nil))
	source, err := axeSource()
	if err != nil {
		t.Fatal(err)
	}
	tb.run(chromedp.Evaluate(source, nil))
	if found := tb.await(`axe.run(document).then(r => r.violations.map(v => v.id).join())`); !strings.Contains(found, "image-alt") {
		t.Errorf("axe found %q, want image-alt", found)
	}
}
