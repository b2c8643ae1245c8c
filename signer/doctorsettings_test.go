//go:build !js

package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"maps"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"h5pay/internal/cause"
	"h5pay/internal/v1"
	"h5pay/webhook"
)

// faultsInSettings are found without a call. The shop does not run.
func faultsInSettings(t *testing.T, all *produced) {
	const random32 = "k3v9Q2mX7bT1wZ8pL5nR4cY6dF0hJ2sG"
	public := func(t *testing.T) map[string]string {
		return map[string]string{
			"SHOP_NAME": "茶", "SHOP_URL": "https://shop.example.com", "WECHAT_APPID": "wx0123456789abcdef", "WECHAT_MCH_ID": "1900000109",
			"WECHAT_APPSECRET": "0a9b8c7d6e5f40312213344556677889", "WECHAT_API_KEY": random32, "SESSION_KEY": "p8Kd2mVx91Tq7Wz5Bn3Rf6Yh4Jc0LsGa",
			certSetting: clientCert(t, otherKey(), time.Now().AddDate(1, 0, 0), certSetting), keySetting: clientCert(t, otherKey(), time.Now(), keySetting),
			"WEBHOOK_URL": "https://erp.example.com/h5pay", "WEBHOOK_SECRET": webhook.NewSecret(), dbSetting: filepath.Join(t.TempDir(), "none.db"),
		}
	}
	for name, tt := range map[string]struct {
		change func(t *testing.T, env map[string]string)
		want   cause.ID
	}{
		"nothing":   {func(*testing.T, map[string]string) {}, ""},
		"missing":   {func(_ *testing.T, env map[string]string) { delete(env, "WECHAT_APPSECRET") }, cause.SettingMissing},
		"malformed": {func(_ *testing.T, env map[string]string) { env["SHOP_URL"] = "https://shop.example.com/tea" }, cause.SettingMalformed},
		"a key file": {func(_ *testing.T, env map[string]string) {
			env["SESSION_KEY_FILE"], env["SESSION_KEY"] = "/nowhere/key", ""
		}, cause.SettingMalformed},
		"one file":    {func(_ *testing.T, env map[string]string) { delete(env, keySetting) }, cause.SettingMissing},
		"example":     {func(_ *testing.T, env map[string]string) { env["SESSION_KEY"] = "change-me-change-me-change-me-123456" }, cause.SecretExample},
		"weak":        {func(_ *testing.T, env map[string]string) { env["WECHAT_API_KEY"] = strings.Repeat("1234", 8) }, cause.SecretWeak},
		"repeated":    {func(_ *testing.T, env map[string]string) { env["SESSION_KEY"] = env["WECHAT_API_KEY"] }, cause.SecretRepeated},
		"workers.dev": {func(_ *testing.T, env map[string]string) { env["SHOP_URL"] = "https://h5pay.me.workers.dev" }, cause.ShopURLUnregistrable},
		"a port":      {func(_ *testing.T, env map[string]string) { env["SHOP_URL"] = "https://shop.example.com:8443" }, cause.ShopURLUnregistrable},
		"an address":  {func(_ *testing.T, env map[string]string) { env["SHOP_URL"] = "https://203.0.113.7" }, cause.ShopURLUnregistrable},
		"simulated":   {func(_ *testing.T, env map[string]string) { env["WECHAT_BASE_URL"] = "https://wechat.example.com" }, cause.WeChatSimulated},
		"own key": {func(t *testing.T, env map[string]string) {
			setV3(t, env)
			env["WECHAT_PUBLIC_KEY"] = publicPEM(t, otherKey())
		}, cause.PublicKeyOwn},
		"half of APIv3": {func(t *testing.T, env map[string]string) { setV3(t, env); delete(env, "WECHAT_APIV3_KEY") }, cause.APIv3Incomplete},
		"half of a key": {func(t *testing.T, env map[string]string) {
			setV3(t, env)
			delete(env, "WECHAT_PUBLIC_KEY")
			env["WECHAT_CERTIFICATES"] = "on"
		}, cause.PublicKeyWaiting},
		"no certificate": {func(_ *testing.T, env map[string]string) { delete(env, certSetting); delete(env, keySetting) }, cause.ClientCertMissing},
		"certificate of another key": {func(t *testing.T, env map[string]string) {
			setV3(t, env)
			env["WECHAT_MCH_KEY"] = privatePEM(t, testKeys()[0])
		}, cause.ClientCertMismatch},
		"certificate of another number": {func(t *testing.T, env map[string]string) {
			setV3(t, env)
			env["WECHAT_MCH_SERIAL"] = "4012345678901234567890123456789012345678"
		}, cause.ClientCertMismatch},
		"certificate ended": {func(t *testing.T, env map[string]string) {
			env[certSetting] = clientCert(t, otherKey(), time.Now().Add(-time.Hour), certSetting)
		}, cause.ClientCertExpired},
		"certificate ends": {func(t *testing.T, env map[string]string) {
			env[certSetting] = clientCert(t, otherKey(), time.Now().AddDate(0, 0, 9), certSetting)
		}, cause.ClientCertExpiring},
		"no webhook": {func(_ *testing.T, env map[string]string) { delete(env, "WEBHOOK_URL"); delete(env, "WEBHOOK_SECRET") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &doctorWorld{t: t, env: public(t)}
			tt.change(t, w.env)
			got := w.diagnose("-offline")
			if tt.want == "" {
				if len(got) > 0 {
					t.Errorf("%+v", got)
				}
				return
			}
			w.want(got, tt.want)
			all.note(tt.want)
			status, text, _ := runCommand(t, w.env, "doctor", "-offline", "-lang", "zh")
			row, _ := cause.Explain(tt.want, got[0].Setting)
			if w.wantNoSecret(text); !strings.Contains(text, row.ZH.Problem) || !strings.Contains(text, row.ZH.Menu) || status != 1 && got[0].Status == v1.CheckFail {
				t.Errorf("%d\n%s", status, text)
			}
		})
	}
}

// serial is the number of the certificate that clientCert makes.
var serial = big.NewInt(0).SetBytes([]byte("\x40\x8b\x07\xe7\x9b\x82\x69\xfe\xc3\xd5\xd3\xe6\xab\x8e\xd1\x63\xa6\xa3\x80\xdb"))

// clientCert writes the merchant's certificate, or its key if setting is that of the key.
func clientCert(t *testing.T, key *rsa.PrivateKey, ends time.Time, setting string) (file string) {
	t.Helper()
	if setting == keySetting {
		return writeFile(t, privatePEM(t, key))
	}
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "1900000109"}, NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: ends}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
}

// setV3 adds settings of APIv3 that fit the client certificate.
func setV3(t *testing.T, env map[string]string) {
	t.Helper()
	maps.Copy(env, map[string]string{
		"WECHAT_MCH_KEY": privatePEM(t, otherKey()), "WECHAT_MCH_SERIAL": strings.ToUpper(serial.Text(16)), "WECHAT_APIV3_KEY": "f4Yt7Rk2Wn9Bs5Xd8Qp1Zm6Lc3Vg0HjT",
		"WECHAT_PUBLIC_KEY": publicPEM(t, testKeys()[1]), "WECHAT_PUBLIC_KEY_ID": "PUB_KEY_ID_0119000001092026112300000001",
	})
}
