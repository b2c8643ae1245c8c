//go:build !js

package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	mathrand "math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"h5pay/webhook"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// publicEnv returns settings of a public shop with random secrets.
func publicEnv(t *testing.T) map[string]string {
	t.Helper()
	env := exampleEnv(t)
	delete(env, "WECHAT_BASE_URL")
	env["SHOP_URL"] = "https://shop.example.com"
	for _, name := range []string{"WECHAT_APPSECRET", "WECHAT_API_KEY", "WECHAT_APIV3_KEY", "WECHAT_APIV3_KEY_OLD", "SESSION_KEY", "SESSION_KEY_OLD", "ADMIN_TOKEN", "WEBHOOK_SECRET", "WEBHOOK_SECRET_OLD"} {
		env[name] = randomHex()
		if isWebhook(name) {
			env[name] = webhook.NewSecret()
		}
	}
	env["WECHAT_MCH_KEY"], env["WECHAT_MCH_SERIAL"] = merchantKey(), "408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB"
	env["WECHAT_PUBLIC_KEY"], env["WECHAT_PUBLIC_KEY_ID"] = wechatPublicKey(), "PUB_KEY_ID_0119000001092026112300000001"
	return env
}

func isWebhook(name string) bool { return strings.HasPrefix(name, "WEBHOOK_SECRET") }

func randomHex() string {
	b := make([]byte, 16)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// A public shop rejects secrets that are published, equal or patterned. The error names the setting
// and not its value.
func TestPublicShopRejectsWeakSecrets(t *testing.T) {
	t.Parallel()
	env := publicEnv(t)
	load := func(env map[string]string) error {
		_, err := loadSettings(func(name string) string { return env[name] })
		return err
	}
	if err := load(env); err != nil {
		t.Fatal(err)
	}
	weak := map[string]string{
		"the former example's": "h5pay-local-session-key-change-me-0000",
		"the former token":     "h5pay-local-admin-token-change-me-0000",
		"a former secret":      "h5pay-former-webhook-secret-change-me",
		"the simulator's":      wechattest.DefaultAPIKey,
		"the simulator's too":  wechattest.DefaultAppSecret,
		"the simulator's v3":   wechattest.DefaultAPIv3Key,
		"in capitals":          strings.ToUpper("please-change-me-before-going-live"),
		"zeros":                strings.Repeat("0", 32),
		"one letter":           strings.Repeat("aA", 16),
		"two letters":          strings.Repeat("ab", 16),
		"a word again":         strings.Repeat("s3cret", 6),
		"a pattern":            strings.Repeat("0123456789abcdef", 2),
		"a pattern, cut":       strings.Repeat("3f9c1", 7)[:33],
		"counted":              "0123456789abcdefghijklmnopqrstuv",
		"counted down":         "zyxwvutsrqponmlkjihgfedcba987654",
		"the alphabet":         "abcdefghijklmnopqrstuvwxyzABCDEF",
		"few characters":       "01101001110100101011010011101001",
	}
	var set settings
	for _, secret := range set.secrets() {
		if secret.name == "WECHAT_MCH_KEY" {
			continue // none of them is a private key
		}
		for name, value := range weak {
			if strings.HasPrefix(secret.name, "WECHAT_") && len(value) != 32 {
				continue // WeChat's secrets have 32 characters
			}
			if isWebhook(secret.name) {
				value = "whsec_" + base64.StdEncoding.EncodeToString([]byte(value))
			}
			bad := publicEnv(t)
			bad[secret.name] = value
			var e *settingError
			if err := load(bad); !errors.As(err, &e) || e.Name != secret.name || strings.Contains(err.Error(), value) {
				t.Errorf("%s with %s: %v", secret.name, name, err)
			}
			// A local shop accepts them.
			bad["SHOP_URL"] = "http://localhost:8802"
			if err := load(bad); err != nil {
				t.Errorf("%s with %s, on this machine: %v", secret.name, name, err)
			}
		}
	}
}

// A key with a pattern is also detected in base64, and so is a published one.
func TestPublicShopRejectsWeakWebhookKeys(t *testing.T) {
	t.Parallel()
	counted := make([]byte, 32)
	for i := range counted {
		counted[i] = byte(i)
	}
	for name, value := range map[string]string{
		"zeros":              "whsec_" + strings.Repeat("A", 32),
		"counted bytes":      "whsec_" + base64.StdEncoding.EncodeToString(counted),
		"a pattern":          "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\xf0\x13\xc4\x77\x2e", 6))),
		"the libraries'":     "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		"that of a document": "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
	} {
		env := publicEnv(t)
		env["WEBHOOK_SECRET"] = value
		_, err := loadSettings(func(name string) string { return env[name] })
		var e *settingError
		if !errors.As(err, &e) || e.Name != "WEBHOOK_SECRET" || !strings.Contains(e.Problem, "whsec_$(openssl") || strings.Contains(err.Error(), value) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPublicShopRejectsEqualSecrets(t *testing.T) {
	t.Parallel()
	var set settings
	all := set.secrets()
	for i, one := range all {
		for _, other := range all[i+1:] {
			if one.name == "WECHAT_MCH_KEY" || other.name == "WECHAT_MCH_KEY" {
				continue // no other secret has its form
			}
			env := publicEnv(t)
			env[other.name] = env[one.name]
			if isWebhook(other.name) && !isWebhook(one.name) {
				env[other.name] = "whsec_" + env[one.name]
			}
			_, err := loadSettings(func(name string) string { return env[name] })
			var e *settingError
			if !errors.As(err, &e) || e.Name != other.name || !strings.Contains(e.Problem, one.name) || strings.Contains(err.Error(), env[one.name]) {
				t.Errorf("%s and %s: %v", one.name, other.name, err)
			}
		}
	}
}

// Every secret field of the settings is checked.
func TestEverySecretIsChecked(t *testing.T) {
	t.Parallel()
	var set settings
	v := reflect.ValueOf(&set).Elem()
	n := 0
	var number func(v reflect.Value)
	number = func(v reflect.Value) {
		for i := range v.NumField() {
			switch f := v.Field(i); {
			case f.Type() == reflect.TypeFor[wechat.Secret]():
				f.SetString(strconv.Itoa(n))
				n++
			case f.Kind() == reflect.Struct:
				number(f)
			}
		}
	}
	number(v)
	checked := map[wechat.Secret]bool{}
	for _, secret := range set.secrets() {
		checked[secret.value] = true
	}
	if len(checked) != n || n < 10 {
		t.Errorf("%d secrets are checked, the settings have %d", len(checked), n)
	}
}

// Random secrets are accepted.
func TestRandomSecretsAreStrong(t *testing.T) {
	t.Parallel()
	random := mathrand.New(mathrand.NewChaCha8([32]byte{})) // the same secrets in each run
	draw := func(n int, alphabet string) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = alphabet[random.IntN(len(alphabet))]
		}
		return string(b)
	}
	const digits, letters = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for range 20_000 {
		key := make([]byte, 24)
		for i := range key {
			key[i] = byte(random.Uint32())
		}
		for _, secret := range []string{
			string(key), "whsec_" + base64.StdEncoding.EncodeToString(key), draw(64, digits+"abcdef"), draw(32, digits+letters+strings.ToLower(letters)+"+/"), draw(52, letters+"234567"), draw(32, digits),
		} {
			if problem := weakness(secret); problem != "" {
				t.Errorf("%q %s", secret, problem)
			}
		}
	}
	if weakness("") == "" || weakness(string(wechat.Secret("0"))) == "" {
		t.Error("no secret at all is strong")
	}
}
