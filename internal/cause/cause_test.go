package cause

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// constants returns the constants of a type of this package.
func constants(t *testing.T, file, typ string) (values []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			if name, ok := spec.Type.(*ast.Ident); ok && name.Name == typ {
				value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				values = append(values, value)
			}
		}
		return true
	})
	return values
}

func TestEveryCauseHasOneRow(t *testing.T) {
	t.Parallel()
	var ids []string
	for _, row := range Rows() {
		ids = append(ids, string(row.ID))
	}
	want := constants(t, "ids.go", "ID")
	slices.Sort(ids)
	slices.Sort(want)
	if !slices.Equal(ids, want) || len(slices.Compact(want)) != len(ids) || len(ids) < 80 {
		t.Errorf("the rows are\n%v\nand the constants\n%v", ids, want)
	}
}

func TestEveryCheckHasATitle(t *testing.T) {
	t.Parallel()
	var checks []string
	for _, title := range Titles() {
		checks = append(checks, string(title.Check))
		if !hanText(title.ZH) && title.Check != Webhook || title.EN == "" || hanText(title.EN) {
			t.Errorf("%+v", title)
		}
	}
	want := constants(t, "cause.go", "Check")
	slices.Sort(checks)
	slices.Sort(want)
	if !slices.Equal(checks, want) {
		t.Errorf("the titles are of\n%v\nand the checks\n%v", checks, want)
	}
	for _, row := range Rows() {
		if !slices.Contains(checks, string(row.Check)) {
			t.Errorf("%s is found by the check %q, which has no title", row.ID, row.Check)
		}
	}
}

func hanText(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) })
}

// Both languages say what is wrong, why it matters and what to do. Sentences are short.
func TestTexts(t *testing.T) {
	t.Parallel()
	id := regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	for _, row := range Rows() {
		if !id.MatchString(string(row.ID)) {
			t.Errorf("%q is no ID", row.ID)
		}
		for _, text := range []string{row.ZH.Problem, row.ZH.Effect, row.ZH.Repair} {
			if !hanText(text) || strings.HasSuffix(text, "。") {
				t.Errorf("%s: %q", row.ID, text)
			}
		}
		for _, text := range []string{row.EN.Problem, row.EN.Effect, row.EN.Repair} {
			if !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "?") || !unicode.IsUpper([]rune(text)[0]) {
				t.Errorf("%s: %q", row.ID, text)
			}
			for sentence := range strings.SplitSeq(text, ". ") {
				if n := len(strings.Fields(sentence)); n > 25 {
					t.Errorf("%s has a sentence of %d words: %q", row.ID, n, sentence)
				}
			}
		}
		if (row.ZH.Menu == "") != (row.EN.Menu == "") || row.ZH.Menu != "" && !strings.Contains(row.ZH.Menu, " > ") {
			t.Errorf("%s: the menus are %q and %q", row.ID, row.ZH.Menu, row.EN.Menu)
		}
	}
}

// For a cause that any setting can have, Explain returns the menu of the setting.
func TestMenuOfASetting(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{
		"WECHAT_APPSECRET": "基本配置", "WECHAT_MCH_ID": "商户信息", "WECHAT_API_KEY": "APIv2密钥", "WECHAT_APIV3_KEY": "APIv3密钥",
		"WECHAT_MCH_KEY": "商户API证书", "WECHAT_MCH_SERIAL": "商户API证书", "WECHAT_PUBLIC_KEY": "微信支付公钥", "SHOP_NAME": "", "": "",
	} {
		row, ok := Explain(SettingMissing, setting)
		if !ok || want == "" != (row.ZH.Menu == "") || !strings.Contains(row.ZH.Menu, want) || !strings.Contains(row.EN.Menu, want) {
			t.Errorf("%s: %q, %q", setting, row.ZH.Menu, row.EN.Menu)
		}
	}
	if row, _ := Explain(AppSecretWrong, "WECHAT_MCH_ID"); row.ZH.Menu != menuAccountZH {
		t.Errorf("a cause with a menu of its own: %q", row.ZH.Menu)
	}
	if _, ok := Explain("nothing", ""); ok {
		t.Error("an unknown cause has a row")
	}
}
