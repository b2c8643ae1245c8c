//go:build !js

package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"h5pay/internal/api"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// rsaPair is a merchant's key and WeChat's. Making one costs 100 ms.
var rsaPair = sync.OnceValue(func() (keys [2]*rsa.PrivateKey) {
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = key
	}
	return keys
})

// merchantDER returns the merchant's private key in PKCS #8.
func merchantDER() []byte {
	der, err := x509.MarshalPKCS8PrivateKey(rsaPair()[0])
	if err != nil {
		panic(err)
	}
	return der
}

func merchantKey() string { return pemOf("PRIVATE KEY", merchantDER()) }

func wechatPublicKey() string { return publicKeyOf(rsaPair()[1]) }

func publicKeyOf(key *rsa.PrivateKey) string {
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		panic(err)
	}
	return pemOf("PUBLIC KEY", der)
}

func pemOf(label string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
}

// v3Names are the settings that a merchant with WeChat Pay's public key fills in.
var v3Names = []string{"WECHAT_MCH_KEY", "WECHAT_MCH_SERIAL", "WECHAT_APIV3_KEY", "WECHAT_PUBLIC_KEY", "WECHAT_PUBLIC_KEY_ID"}

// v3Env returns the settings of a public shop with APIv3 alone.
func v3Env(t *testing.T) map[string]string {
	t.Helper()
	env := publicEnv(t)
	env["WECHAT_API_KEY"] = ""
	return env
}

func load(env map[string]string) (settings, error) {
	return loadSettings(func(name string) string { return env[name] })
}

// Keys are accepted as people paste them.
func TestMerchantKeyAsPeoplePasteIt(t *testing.T) {
	t.Parallel()
	whole := merchantKey()
	for name, value := range map[string]string{
		"PEM":               whole,
		"CRLF":              strings.ReplaceAll(whole, "\n", "\r\n"),
		"escaped newlines":  strings.ReplaceAll(whole, "\n", `\n`),
		"blanks around":     "  \n" + whole + "\n\n ",
		"base64 of the DER": base64.StdEncoding.EncodeToString(merchantDER()),
		"PKCS #1":           pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaPair()[0])),
	} {
		env := v3Env(t)
		env["WECHAT_MCH_KEY"] = value
		set, err := load(env)
		if err != nil || set.API != wechat.V3 {
			t.Errorf("%s: %q, %v", name, set.API, err)
			continue
		}
		if a := newTestApp(t, env); a != http.StatusOK {
			t.Errorf("%s: status %d", name, a)
		}
	}
}

func TestAPIv3KeyMayHaveBlanksAround(t *testing.T) {
	t.Parallel()
	env := v3Env(t)
	env["WECHAT_APIV3_KEY_OLD"] = "q3Zt8LmVx0Rk5BnYw7HcJd2FsPg9TaUe" + "\r\n"
	env["WECHAT_APIV3_KEY"] = " " + env["WECHAT_APIV3_KEY"] + "\n"
	if set, err := load(env); err != nil || len(set.Key) != 32 || len(set.KeyOld) != 32 {
		t.Errorf("%v, %d and %d characters", err, len(set.Key), len(set.KeyOld))
	}
}

// A merchant changes from platform certificates to the public key. Its two settings are deployed
// one after the other, and the shop accepts payments in between.
func TestShopRunsWithHalfOfThePublicKey(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"WECHAT_PUBLIC_KEY", "WECHAT_PUBLIC_KEY_ID"} {
		env := v3Env(t)
		env["WECHAT_CERTIFICATES"], env[name] = "on", ""
		if status := newTestApp(t, env); status != http.StatusOK {
			t.Errorf("without %s: status %d", name, status)
		}
		if set, err := load(env); err != nil || set.PublicKey != "" || set.PublicKeyID != "" || !set.Certificates {
			t.Errorf("without %s: %v, half a public key is used", name, err)
		}
	}
}

// newTestApp starts the signer and returns the status of a call.
func newTestApp(t *testing.T, env map[string]string) int {
	t.Helper()
	a := newApp(platform{getenv: func(name string) string { return env[name] }, db: testDB(t), doer: http.DefaultClient, log: slog.New(slog.DiscardHandler)})
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest("GET", "/api/config", nil))
	return w.Code
}

func TestVersionOfNewPayments(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		without []string
		set     map[string]string
		want    wechat.Version
		wrong   string
	}{
		{name: "both versions", want: wechat.V3},
		{name: "both versions, v2 chosen", set: map[string]string{"WECHAT_API": "v2"}, want: wechat.V2},
		{name: "APIv2 alone", without: v3Names, want: wechat.V2},
		{name: "APIv3 alone", without: []string{"WECHAT_API_KEY"}, want: wechat.V3},
		{name: "platform certificates", without: []string{"WECHAT_API_KEY", "WECHAT_PUBLIC_KEY", "WECHAT_PUBLIC_KEY_ID"},
			set: map[string]string{"WECHAT_CERTIFICATES": "on"}, want: wechat.V3},
		{name: "APIv3 is half set up beside APIv2", without: []string{"WECHAT_MCH_SERIAL"}, want: wechat.V2},
		{name: "a malformed key of APIv3, and v2 is chosen", set: map[string]string{"WECHAT_API": "v2", "WECHAT_MCH_KEY": "x"}, want: wechat.V2},
		{name: "APIv3 is half set up alone", without: []string{"WECHAT_API_KEY", "WECHAT_MCH_SERIAL"}, wrong: "WECHAT_MCH_SERIAL is not set"},
		{name: "v3 is chosen and half set up", without: []string{"WECHAT_PUBLIC_KEY_ID"}, set: map[string]string{"WECHAT_API": "v3"}, wrong: "WECHAT_PUBLIC_KEY_ID is not set"},
		{name: "v2 is chosen without its key", without: []string{"WECHAT_API_KEY"}, set: map[string]string{"WECHAT_API": "v2"}, wrong: "WECHAT_API_KEY must be set"},
		{name: "neither", without: append([]string{"WECHAT_API_KEY"}, v3Names...), wrong: "WECHAT_API_KEY must be set"},
		{name: "another version", set: map[string]string{"WECHAT_API": "V3"}, wrong: "WECHAT_API must be v2 or v3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := publicEnv(t)
			for _, name := range c.without {
				env[name] = ""
			}
			for name, value := range c.set {
				env[name] = value
			}
			set, err := load(env)
			if c.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), c.wrong) {
					t.Errorf("%v, want %q", err, c.wrong)
				}
				return
			}
			if err != nil || set.API != c.want {
				t.Errorf("%q, %v", set.API, err)
			}
		})
	}
}

// The error has the name of the setting and the wanted form, and not the value.
func TestBadAPIv3SettingIsNamedWithoutItsValue(t *testing.T) {
	t.Parallel()
	cert := string(wechatCertificate(t))
	for _, test := range []struct{ name, value, want string }{
		{"WECHAT_MCH_KEY", cert, "certificate"},
		{"WECHAT_MCH_KEY", wechatPublicKey(), "public key"},
		{"WECHAT_MCH_KEY", "c2VjcmV0", "neither"},
		{"WECHAT_MCH_SERIAL", "PUB_KEY_ID_0119000001092026112300000001", "40 hex digits"},
		{"WECHAT_MCH_SERIAL", "408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB0", "40 hex digits"},
		{"WECHAT_APIV3_KEY", strings.Repeat("x7", 15), "32 letters or digits, and has 30 characters"},
		{"WECHAT_APIV3_KEY_OLD", "short-old-key", "32 letters or digits"},
		{"WECHAT_PUBLIC_KEY", cert, "certificate"},
		{"WECHAT_PUBLIC_KEY", merchantKey(), "private key"},
		{"WECHAT_PUBLIC_KEY", publicKeyOf(rsaPair()[0]), "the merchant's own"},
		{"WECHAT_PUBLIC_KEY", "", "not set"},
		{"WECHAT_PUBLIC_KEY_ID", "", "not set"},
		{"WECHAT_PUBLIC_KEY_ID", "0119000001092026112300000001", "PUB_KEY_ID_"},
		{"WECHAT_CERTIFICATES", "yes", "on or off"},
	} {
		env := v3Env(t)
		env[test.name] = test.value
		_, err := load(env)
		if err == nil { // errors that only the whole configuration shows
			set, _ := load(env)
			_, err = wechat.New(wechat.Config{AppID: set.AppID, AppSecret: set.AppSecret, MchID: set.MchID, V3: set.v3(nil), Doer: http.DefaultClient})
			err = errors.Join(settingErrors(err)...)
		}
		var bad *settingError
		if !errors.As(err, &bad) || bad.Name != test.name || !strings.Contains(bad.Problem, test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
		if err != nil && test.value != "" && strings.Contains(err.Error(), test.value) {
			t.Errorf("the error contains the value: %v", err)
		}
	}
}

// wechatCertificate returns a platform certificate.
func wechatCertificate(t *testing.T) string {
	t.Helper()
	keys := rsaPair()
	sim, err := wechattest.New(wechattest.Config{V3Mode: wechattest.V3Certificates, RSAKeys: keys[:]})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	return sim.V3().Certificates[0].PEM
}

// A public shop rejects private keys that documents publish.
func TestPublicShopRejectsPublishedKeys(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../wechat/apiv3/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name   string
		Inputs struct{ PEM string }
	}
	if err := json.Unmarshal(b, &vectors); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, v := range vectors {
		if !strings.Contains(v.Inputs.PEM, "PRIVATE KEY") {
			continue
		}
		tried++
		env := v3Env(t)
		env["WECHAT_MCH_KEY"] = v.Inputs.PEM
		if _, err := load(env); err == nil || !strings.Contains(err.Error(), "WECHAT_MCH_KEY is an example value") {
			t.Errorf("%s: %v", v.Name, err)
		}
		env["SHOP_URL"] = "http://localhost:8802"
		if _, err := load(env); err != nil {
			t.Errorf("%s, on this machine: %v", v.Name, err)
		}
	}
	if tried < 3 {
		t.Errorf("%d published keys", tried)
	}
}

// The health page names what APIv3 lacks. It is an alarm when something is malformed.
func TestHealthNamesWhatAPIv3Lacks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		set  map[string]string
		ok   bool
		want string
	}{
		{nil, true, ""},
		{map[string]string{"WECHAT_MCH_SERIAL": "", "WECHAT_PUBLIC_KEY_ID": ""}, true, "WECHAT_MCH_SERIAL is not set; WECHAT_PUBLIC_KEY_ID is not set"},
		{map[string]string{"WECHAT_CERTIFICATES": "on", "WECHAT_PUBLIC_KEY": ""}, true, "the certificates alone verify: WECHAT_PUBLIC_KEY is not set"},
		{map[string]string{"WECHAT_CERTIFICATES": "on", "WECHAT_PUBLIC_KEY_ID": ""}, true, "the certificates alone verify: WECHAT_PUBLIC_KEY_ID is not set"},
		{map[string]string{"WECHAT_API": "v2", "WECHAT_MCH_KEY": "c2VjcmV0"}, false, "WECHAT_MCH_KEY is neither a key nor a certificate that can be read, want the merchant's private key"},
	} {
		env := publicEnv(t)
		for name, value := range c.set {
			env[name] = value
		}
		_, h := getHealth(t, env, env["ADMIN_TOKEN"])
		i := slices.IndexFunc(h.Checks, func(check api.HealthCheck) bool { return check.Name == "apiv3" })
		if i < 0 || h.Checks[i].OK != c.ok || !strings.Contains(h.Checks[i].Problem, c.want) || (h.Checks[i].Problem == "") != (c.want == "") {
			t.Errorf("%v: %+v", c.set, h.Checks)
		}
	}
}
