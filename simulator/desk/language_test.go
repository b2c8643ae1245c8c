package desk

import (
	"encoding/json"
	"io/fs"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"h5pay/simulator/simtest"
	"h5pay/wechat/wechattest"
)

// Both languages have every text, with the same values in it, and each text is used. The page has a
// Chinese text for everything that the control API describes in English.
func TestBothLanguagesHaveEveryText(t *testing.T) {
	var table map[string]map[string]string
	if err := json.Unmarshal(stringsJSON, &table); err != nil {
		t.Fatal(err)
	}
	described := map[string]bool{}
	for _, k := range wechattest.FaultKinds() {
		described["fault."+k.Kind] = true
		if label := table["label."+k.Kind]; label["en"] == "" || label["zh"] == "" || label["en"] == k.Kind {
			t.Errorf("the fault %s has no label in both languages: %q", k.Kind, label)
		}
	}
	for _, p := range wechattest.Environments() {
		described["place."+string(p.Environment)] = true
	}
	for _, c := range New(simtest.New(t).WeChat, Config{}).controls() {
		described["call."+c.Method+" "+c.Path] = true
	}
	for key := range described {
		if table[key]["zh"] == "" {
			t.Errorf("strings.json has no Chinese for %s", key)
		}
	}

	value := regexp.MustCompile(`\{\w+\}`)
	for key, text := range table {
		if regexp.MustCompile(`^(fault|place|call)\.`).MatchString(key) {
			if !described[key] || text["en"] != "" {
				t.Errorf("%s: unknown to the control API, or the table has its English text", key)
			}
			continue
		}
		if text["en"] == "" || text["zh"] == "" || len(text) != 2 {
			t.Errorf("%s: want en and zh, got %q", key, text)
		}
		en, zh := value.FindAllString(text["en"], -1), value.FindAllString(text["zh"], -1)
		slices.Sort(en)
		slices.Sort(zh)
		if !slices.Equal(en, zh) {
			t.Errorf("%s: values %v in English, %v in Chinese", key, en, zh)
		}
		if strings.ContainsFunc(text["en"], func(c rune) bool { return unicode.Is(unicode.Han, c) }) {
			t.Errorf("%s: the English is %q", key, text["en"])
		}
	}

	used := usedKeys(t, table)
	for key := range used {
		if _, ok := table[key]; !ok {
			t.Errorf("%s is used and not in strings.json", key)
		}
	}
	for key := range table {
		if !used[key] && !described[key] {
			t.Errorf("%s is in strings.json and not used", key)
		}
	}
}

// usedKeys returns the keys that the page uses: those in quotes, and those that begin
// with a word in a template, as in t(`forge.${name}`).
func usedKeys(t *testing.T, table map[string]map[string]string) map[string]bool {
	t.Helper()
	used := map[string]bool{}
	var source strings.Builder
	entries, err := fs.ReadDir(webFiles, "web")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".js") && e.Name() != "index.html" {
			continue
		}
		text, err := fs.ReadFile(webFiles, "web/"+e.Name())
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	// A text that the page requests by name must exist. A text of the table is used if its key
	// occurs in quotes.
	for _, m := range regexp.MustCompile(`(?:\b(?:t|nodes)\(|\{\{t )"([^"]+)"`).FindAllStringSubmatch(source.String(), -1) {
		used[m[1]] = true
	}
	for key := range table {
		if strings.Contains(source.String(), `"`+key+`"`) {
			used[key] = true
		}
	}
	for prefix, values := range map[string][]string{
		"label": faultKinds(), "path": faultPaths(),
		"unit": {"d", "h", "min", "s"}, "preset": {"notify_lost", "notify_doubled", "notify_delayed", "system_error", "timeout_after", "code_used", "sheet_fail", "paid_as_cancel"},
		"verdict": {"open", "paid", "cancelled", "failed"}, "name": {"uncaught", "rejection", "load", "policy", "bridge"},
		"forge": append(wechattest.Forgeries(), wechattest.V3RefundForgeries()...), "refund_forge": wechattest.RefundForgeries(), "group": {"Look", "Phone", "Trouble", "Keys"},
		"v3.mode": {"public_key", "certificates", "both"}, "v3.mode_text": {"public_key", "certificates", "both"},
		"state":        {wechattest.StateNotPay, wechattest.StateSuccess, wechattest.StateClosed, wechattest.StateRefund},
		"delivery":     {wechattest.NotifyWaiting, wechattest.NotifyAcknowledged, wechattest.NotifyAbandoned, wechattest.NotifyLost},
		"refund.state": {wechattest.RefundProcessing, wechattest.RefundSuccess, wechattest.RefundClosed, wechattest.RefundChange},
	} {
		if !strings.Contains(source.String(), "`"+prefix+".${") {
			t.Errorf("no script uses the texts of %s", prefix)
		}
		for _, v := range values {
			used[prefix+"."+v] = true
		}
	}
	return used
}

// faultKinds returns the kind of every fault.
func faultKinds() (kinds []string) {
	for _, k := range wechattest.FaultKinds() {
		kinds = append(kinds, k.Kind)
	}
	return kinds
}

// faultPaths returns the paths of faults that are no paths of WeChat's.
func faultPaths() (paths []string) {
	for _, k := range wechattest.FaultKinds() {
		for _, p := range k.Paths {
			if !strings.HasPrefix(p, "/") && !slices.Contains(paths, p) {
				paths = append(paths, p)
			}
		}
	}
	return paths
}

// No two faults have the same label, so that the bar of faults tells them apart.
func TestLabelsOfFaultsDiffer(t *testing.T) {
	for _, language := range []string{english, chinese} {
		words, kinds := texts(language), map[string]string{}
		for _, kind := range faultKinds() {
			label := words["label."+kind]
			if other := kinds[label]; other != "" {
				t.Errorf("%s: %s and %s have the label %q", language, kind, other, label)
			}
			kinds[label] = kind
		}
	}
}

func TestLanguageIsTheBrowsers(t *testing.T) {
	for header, want := range map[string]string{
		"": english, "zh-CN": chinese, "zh": chinese, "ZH-tw,en;q=0.8": chinese, "en-US,en;q=0.9,zh-CN;q=0.8": english, "fr-FR,zh-CN;q=0.9,en;q=0.8": chinese,
		"de": english, "fr,en;q=0.3,zh;q=0.2": english, "zh;q=x,en;q=0.1": english, "*": english, "zh;q=0": english, "zh;q=0.5": chinese, "zhx": english, ";,,q=1": english,
	} {
		if got := language(header); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
	desk := New(simtest.New(t).WeChat, Config{})
	for header, want := range map[string][]string{"zh-CN,zh;q=0.9": {`lang="zh-CN"`, "微信模拟器", `lang = "zh"`, `"ledger":"账本"`, `"fault.notify_lost":"下一个`}, "en": {`lang="en"`, "WeChat simulator", `lang = "en"`, `"ledger":"Ledger"`}} {
		body := ""
		for _, path := range []string{"/", "/strings.js"} {
			r := httptest.NewRequest("GET", "http://localhost"+path, nil)
			r.Header.Set("Accept-Language", header)
			rec := httptest.NewRecorder()
			if desk.ServeHTTP(rec, r); rec.Code != 200 || rec.Header().Get("Vary") != "Accept-Language" {
				t.Errorf("%s: %d %v", path, rec.Code, rec.Header())
			}
			body += rec.Body.String()
		}
		for _, text := range want {
			if !strings.Contains(body, text) {
				t.Errorf("%s: %q is missing", header, text)
			}
		}
		if strings.Contains(body, "{{") {
			t.Errorf("%s: a template is not filled in", header)
		}
	}
}
