//go:build !js

package main

import "testing"

func TestPruneKeepsWhatIsUsed(t *testing.T) {
	used := usedNames(`elem("a").Class("btn btn_" + kind).DataSet("on", true) .box`)
	for _, test := range []struct{ name, sheet, over, want string }{
		{"classes", `.btn{a:b}.gone{a:b}.btn.gone,.box .btn_wide,p{a:b}`, "", `.btn{a:b}.box .btn_wide,p{a:b}`},
		{"attributes", `[data-on] .btn{a:b}[data-off]{a:b}`, "", `[data-on] .btn{a:b}`},
		{"what is not", `.btn:not(.gone){a:b}p:not([data-off="x"]){a:b}`, "", `.btn:not(.gone){a:b}p:not([data-off="x"]){a:b}`},
		{"media", `@media print{.gone{a:b}}@media print{.btn{a:b}.gone{a:b}}`, "", `@media print{.btn{a:b}}`},
		{"variables", `p{--a:var( --b);--b:1;--c:var(--d);--d:2;e:f}q{--c:3}`, `i{g:var(--a)}`, `p{--a:var( --b);--b:1;e:f}`},
		{"variables that a dropped rule needs", `p{--a:1}.gone{b:var(--a)}`, "", ``},
		{"strings and addresses", `.btn{a:url(data:x;{,});b:"}.gone{;"}.gone{a:b}`, "", `.btn{a:url(data:x;{,});b:"}.gone{;"}`},
		{"animations", `@keyframes spin{0%{a:b}to{a:c}}@keyframes none{to{a:b}}@keyframes fade{to{a:b}}.btn{animation:spin 1s}`, `i{animation:fade}`,
			`@keyframes spin{0%{a:b}to{a:c}}@keyframes fade{to{a:b}}.btn{animation:spin 1s}`},
		{"comments", `/*! ours */ /* not */ .btn { a: b; }`, "", `/*! ours */.btn{ a: b}`},
		{"nothing", ``, ``, ``},
		{"an end that is missing", `.btn{a:b`, ``, `.btn{a:b}`},
	} {
		if got := prune(test.sheet, test.over, used); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
	}
}
