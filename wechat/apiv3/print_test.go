package apiv3

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// No printed, logged or encoded form of a value shows a key or a secret, even if another value
// contains it.
func TestNothingPrintsASecret(t *testing.T) {
	cfg := merchantConfig(t)
	key, err := ParsePrivateKey(cfg.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	m := newMerchant(t, nil)
	r := newReceiver(t, weChatKey(t))
	body := callback(t, testAPIv3Key, "fAKcOVTdU4VI", "transaction")
	n, err := r.Notification(t.Context(), signed(t, wechatKeyName, testKeyID, testNow, body).get, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := standard{}.Signer(key.PKCS8())
	if err != nil {
		t.Fatal(err)
	}
	d := private(t, merchantKeyName)
	// Every form in which a number of the key, or a secret, may be written.
	var secrets []string
	for _, number := range [][]byte{d.D.Bytes(), d.Primes[0].Bytes(), d.Primes[1].Bytes(), []byte(testAPIv3Key), []byte("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o")} {
		part := number[len(number)/2-6 : len(number)/2+6]
		decimals := strings.Trim(fmt.Sprint(part), "[]")
		secrets = append(secrets, string(part), hex.EncodeToString(part), strings.ToUpper(hex.EncodeToString(part)),
			base64.StdEncoding.EncodeToString(part), decimals, strings.ReplaceAll(decimals, " ", ", "), strings.ReplaceAll(decimals, " ", ","))
	}
	secrets = append(secrets, d.D.String(), d.Primes[0].String(), string(cfg.PrivateKey)[200:230])

	type holder struct{ v any }
	for name, v := range map[string]any{
		"Secret": Secret(testAPIv3Key), "Plaintext": n.Resource, "PrivateKey": key, "PrivateKey by value": *key, "PublicKey": key.Public(),
		"MerchantConfig": cfg, "Merchant": m, "Merchant by value": *m, "Receiver": r, "KeySet": r.Keys(), "Notification": n, "Signer": signer,
		"ReceiverConfig":      ReceiverConfig{Keys: r.Keys(), APIv3Key: testAPIv3Key, APIv3KeyOld: testAPIv3Key},
		"PlatformCertificate": PlatformCertificate{Key: weChatKey(t)},
	} {
		var b bytes.Buffer
		values := []any{v, &v, []any{v}, map[string]any{"v": v}}
		switch v.(type) {
		case Secret, MerchantConfig, ReceiverConfig:
			// fmt calls no method of a value in an unexported field; the documentation of Secret
			// says so.
		default:
			values = append(values, holder{v}, &holder{v})
		}
		for _, value := range values {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
				fmt.Fprintf(&b, verb+"\n", value)
			}
		}
		slog.New(slog.NewTextHandler(&b, nil)).Info("m", "v", v)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "v", v)
		if j, err := json.Marshal(v); err == nil {
			b.Write(j)
		}
		for _, secret := range secrets {
			if strings.Contains(b.String(), secret) {
				t.Errorf("%s shows %q", name, secret)
			}
		}
	}
}
