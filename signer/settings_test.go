//go:build !js

package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/envfile"
	"h5pay/internal/store"
	"h5pay/wechat"
)

// exampleEnv returns the settings of a fresh clone.
func exampleEnv(t *testing.T) map[string]string {
	t.Helper()
	env, err := envfile.New("../.dev.vars.example")
	if err != nil {
		t.Fatal(err)
	}
	return env
}

func TestBoundsAreSettings(t *testing.T) {
	t.Parallel()
	base := exampleEnv(t)
	load := func(name, value string) (settings, error) {
		return loadSettings(func(n string) string {
			if n == name {
				return value
			}
			return base[n]
		})
	}
	got, err := load("", "")
	if err != nil || got.Unpaid != store.DefaultBounds() || got.KeepUnpaidDays != 30 || got.DatabaseMB != 10_000 || got.D1Statements != 50 {
		t.Errorf("unset: %+v, %v", got, err)
	}
	if got, err = load("UNPAID_LIMITS", "4, 3,2,1"); err != nil || got.Unpaid != (store.Bounds{Buyer: 4, Guest: 3, NetworkGuests: 2, Guests: 1}) {
		t.Errorf("%+v, %v", got.Unpaid, err)
	}
	if got, err = load("D1_STATEMENTS", "1000"); err != nil || got.D1Statements != 1000 {
		t.Errorf("%d, %v", got.D1Statements, err)
	}
	for name, values := range map[string][]string{
		"UNPAID_LIMITS":    {"1,2,3", "1,2,3,4,5", "1,2,3,0", "1,2,3,-4", "1,2,,4", "1,2,3,x", "1,2,3,1000001"},
		"KEEP_UNPAID_DAYS": {"9", "0", "-1", "3651", "x"},
		"DATABASE_MB":      {"9", "x", "1e9"},
		"D1_STATEMENTS":    {"49", "0", "x", "10001"},
	} {
		for _, value := range values {
			if _, err := load(name, value); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s=%s: %v", name, value, err)
			}
		}
	}
}

func TestExampleSettingsAreValid(t *testing.T) {
	t.Parallel()
	env := exampleEnv(t)
	got, err := loadSettings(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	if got.ShopURL != "http://localhost:8802" || got.BaseURL != "http://localhost:8800" {
		t.Errorf("ShopURL %q, BaseURL %q", got.ShopURL, got.BaseURL)
	}
}

// Every secret is in .dev.vars.example. The tests that search for leaked secrets take them from the
// example: its values that are not among the plain values of wrangler.toml.
func TestEverySecretIsInTheExample(t *testing.T) {
	t.Parallel()
	env := exampleEnv(t)
	got, err := loadSettings(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	plain := map[string]bool{}
	config, err := os.ReadFile("../wrangler.toml")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(config)) {
		if name, _, ok := strings.Cut(line, " = "); ok {
			plain[name] = true
		}
	}
	v := reflect.ValueOf(got)
	for i := range v.NumField() {
		secret, ok := v.Field(i).Interface().(wechat.Secret)
		if !ok {
			continue
		}
		name := ""
		for n, value := range env {
			if value == string(secret) {
				name = n
			}
		}
		if secret == "" || name == "" || plain[name] {
			t.Errorf("%s: %q in .dev.vars.example, %v in wrangler.toml", v.Type().Field(i).Name, name, plain[name])
		}
	}
}

func TestSettingsDefaults(t *testing.T) {
	t.Parallel()
	env := exampleEnv(t)
	for _, name := range []string{"OAUTH_SCOPE", "TRADE_TYPES", "WECHAT_SIGN_TYPE", "WECHAT_BASE_URL"} {
		delete(env, name)
	}
	got, err := loadSettings(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	want := [4]string{"snsapi_base", "[JSAPI]", "HMAC-SHA256", ""}
	if diff := cmp.Diff(want, [4]string{string(got.Scope), fmt.Sprint(got.TradeTypes), string(got.SignType), got.BaseURL}); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

func TestRefundFromBalance(t *testing.T) {
	t.Parallel()
	env := exampleEnv(t)
	for value, want := range map[string]bool{"": false, "auto": false, "manual": true} {
		env["REFUND_FROM_BALANCE"] = value
		if got, err := loadSettings(func(name string) string { return env[name] }); err != nil || got.ManualBalance != want {
			t.Errorf("%q: %v, %v", value, got.ManualBalance, err)
		}
	}
}

func TestSellingDefaultsToOn(t *testing.T) {
	t.Parallel()
	env := exampleEnv(t)
	for value, off := range map[string]bool{"": false, "on": false, "off": true} {
		env["SELLING"] = value
		if got, err := loadSettings(func(name string) string { return env[name] }); err != nil || got.SellingOff != off {
			t.Errorf("%q: off is %t, %v", value, got.SellingOff, err)
		}
	}
}

func TestPayerDays(t *testing.T) {
	t.Parallel()
	env := exampleEnv(t)
	for value, want := range map[string]int{"": 30, "1": 1, "007": 7, "3650": 3650} {
		env["PAYER_DAYS"] = value
		if got, err := loadSettings(func(name string) string { return env[name] }); err != nil || got.PayerDays != want {
			t.Errorf("%q: %d, %v", value, got.PayerDays, err)
		}
	}
}

func TestTradeTypes(t *testing.T) {
	t.Parallel()
	env := exampleEnv(t)
	for list, want := range map[string]string{"NATIVE": "[NATIVE]", "MWEB, JSAPI": "[MWEB JSAPI]"} {
		env["TRADE_TYPES"] = list
		got, err := loadSettings(func(name string) string { return env[name] })
		if err != nil || fmt.Sprint(got.TradeTypes) != want {
			t.Errorf("%s: %v, %v", list, got.TradeTypes, err)
		}
	}
}

const (
	webhookSecret    = "whsec_YSB3ZWJob29rIHNlY3JldCBvZiAzMiBjaGFyYWN0ZXJz"
	oldWebhookSecret = "whsec_dGhlIHdlYmhvb2sgc2VjcmV0IHRoYXQgY2FtZSBiZWZvcmU="
)

func TestWebhookSettings(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		url, secret, old string
		secrets          int
	}{
		{"", "", "", 0},
		{"", webhookSecret, "", 0}, // the health check passes, and no request is sent
		{"https://erp.example.com/h5pay?shop=1", webhookSecret, "", 1},
		{"http://localhost:9000", webhookSecret, oldWebhookSecret, 2},
		{"http://[::1]:9000/", webhookSecret, "", 1},
	} {
		env := exampleEnv(t)
		env["WEBHOOK_URL"], env["WEBHOOK_SECRET"], env["WEBHOOK_SECRET_OLD"] = test.url, test.secret, test.old
		set, err := loadSettings(func(name string) string { return env[name] })
		if err != nil {
			t.Errorf("%q: %v", test.url, err)
			continue
		}
		hook := set.webhook(http.DefaultClient)
		if hook == nil != (test.url == "") || hook != nil && (hook.URL != test.url || len(hook.Secrets) != test.secrets) {
			t.Errorf("%q: %+v", test.url, hook)
		}
	}
}

func TestBadSettingIsNamedWithoutItsValue(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, value string }{
		{"SHOP_NAME", ""},
		{"SHOP_URL", ""},
		{"SHOP_URL", "kiosk.example"},
		{"SHOP_URL", "http://shop.example.com"},
		{"SHOP_URL", "https://shop.example.com/"},
		{"SHOP_URL", "https://shop.example.com/pay"},
		{"SHOP_URL", "https://user:pw@shop.example.com"},
		{"SHOP_URL", "ftp://localhost"},
		{"OAUTH_SCOPE", "snsapi_login"},
		{"RETURN_HOSTS", "https://www.example.com"},
		{"RETURN_HOSTS", "www.example.com/thanks"},
		{"RETURN_HOSTS", "WWW.example.com"},
		{"RETURN_HOSTS", "*.example.com"},
		{"RETURN_HOSTS", "www.example.com,,shop.example.com"},
		{"RETURN_HOSTS", "user@example.com"},
		{"RETURN_HOSTS", ":8443"},
		{"TRADE_TYPES", "APP"},
		{"TRADE_TYPES", "jsapi"},
		{"TRADE_TYPES", "JSAPI;NATIVE"},
		{"TRADE_TYPES", "JSAPI,,MWEB"},
		{"TRADE_TYPES", "NATIVE,MWEB,NATIVE"},
		{"UNPAID_LIMITS", "100,50,200"},
		{"UNPAID_LIMITS", "100,50,200,0"},
		{"KEEP_UNPAID_DAYS", "7"},
		{"KEEP_UNPAID_DAYS", "a month"},
		{"DATABASE_MB", "9"},
		{"DATABASE_MB", "1 GB"},
		{"D1_STATEMENTS", "49"},
		{"D1_STATEMENTS", "many"},
		{"WECHAT_APPID", ""},
		{"WECHAT_APPID", "wx123"},
		{"WECHAT_APPID", "gh5a1e0f7c3b2d4968"},
		{"WECHAT_MCH_ID", ""},
		{"WECHAT_MCH_ID", "19000001O9"},
		{"WECHAT_SIGN_TYPE", "RSA"},
		{"REFUND_FROM_BALANCE", "yes"},
		{"REFUND_CONFIRM_FEN", "-1"},
		{"REFUND_CONFIRM_FEN", "10.00"},
		{"WECHAT_BASE_URL", "http://wechat.example.com"},
		{"WECHAT_APPSECRET", ""},
		{"WECHAT_APPSECRET", "tooshort"},
		{"WECHAT_API_KEY", ""},
		{"WECHAT_API_KEY", "h5paysimulatorapikey00000000000 "},
		{"SESSION_KEY", ""},
		{"SESSION_KEY_OLD", "only-thirty-one-characters-long"},
		{"SESSION_KEY", "only-thirty-one-characters-long"},
		{"ADMIN_TOKEN", "only-thirty-one-characters-long"},
		{"SELLING", "no"},
		{"PAYER_DAYS", "00"},
		{"PAYER_DAYS", "-1"},
		{"PAYER_DAYS", "3651"},
		{"PAYER_DAYS", "30d"},
		{"SELLING", "OFF"},
		{"WEBHOOK_URL", "erp.example.org/h5pay"},
		{"WEBHOOK_URL", "http://erp.example.com/h5pay"},
		{"WEBHOOK_URL", "https://user:pw@erp.example.com/h5pay"},
		{"WEBHOOK_URL", "https://erp.example.com/h5pay#part"},
		{"WEBHOOK_URL", "ftp://localhost/h5pay"},
		{"WEBHOOK_URL", "https:///h5pay"},
		{"WEBHOOK_SECRET", ""},
		{"WEBHOOK_SECRET", strings.Repeat("3f9c1a07", 8)},                   // hexadecimal, without whsec_
		{"WEBHOOK_SECRET", "whsec_" + strings.Repeat("3f9c1a0", 4) + "AA="}, // 23 bytes
		{"WEBHOOK_SECRET", "whsec_" + strings.Repeat("3f9c1a07", 11)},       // 66 bytes
		{"WEBHOOK_SECRET", "whsec_" + strings.Repeat("not-base", 4)},
		{"WEBHOOK_SECRET_OLD", "whsec_" + strings.Repeat("3f9c1a0", 4) + "AA="},
	} {
		t.Run(test.name+"="+test.value, func(t *testing.T) {
			env := exampleEnv(t)
			env["WEBHOOK_URL"] = "https://erp.example.com/h5pay?shop=1"
			env[test.name] = test.value
			_, err := loadSettings(func(name string) string { return env[name] })
			var bad *settingError
			if !errors.As(err, &bad) || bad.Name != test.name {
				t.Fatalf("got %v, want an error about %s", err, test.name)
			}
			if !strings.HasPrefix(bad.Problem, "must ") && bad.Problem != "is not set" {
				t.Errorf("%v lacks the wanted form", err)
			}
			if test.value != "" && strings.Contains(err.Error(), test.value) {
				t.Errorf("the error contains the value: %v", err)
			}
		})
	}
}

// All invalid settings are reported at once.
func TestEveryBadSettingIsNamedOnce(t *testing.T) {
	t.Parallel()
	_, err := loadSettings(func(string) string { return "" })
	if err == nil {
		t.Fatal("a shop without settings starts")
	}
	text := err.Error()
	for _, name := range []string{"SHOP_NAME", "SHOP_URL", "WECHAT_APPID", "WECHAT_MCH_ID", "WECHAT_APPSECRET", "WECHAT_API_KEY", "SESSION_KEY"} {
		if strings.Count(text, name+" ") != 1 {
			t.Errorf("%s is not named once in\n%s", name, text)
		}
	}
}

// A name or an address that payments cannot use is named as a setting, with the other wrong settings.
func TestShopThatPaymentsCannotUse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, value, want string }{
		{"SHOP_NAME", "tea\nshop", "setting SHOP_NAME must have no control character"},
		{"SHOP_NAME", strings.Repeat("茶", 50), "setting SHOP_NAME must be shorter for MWEB: at most 160 bytes together with SHOP_URL"},
		{"SHOP_URL", "https://" + strings.Repeat("a", 200) + ".example", "setting SHOP_URL must have at most 200 characters"},
	} {
		env := exampleEnv(t)
		env[test.name], env["SELLING"] = test.value, "maybe"
		_, err := load(env)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "SELLING") {
			t.Errorf("%v, want %s", err, test.want)
		}
	}
}
