package warm_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"h5pay/wechat/apiv3"
)

// call signs or verifies in the Worker. A status other than 200 is an error with the
// answer's text.
func (w *world) call(key, text, signature []byte, answer any) error {
	w.Helper()
	body, err := json.Marshal(map[string][]byte{"Key": key, "Text": text, "Signature": signature})
	if err != nil {
		w.Fatal(err)
	}
	res, err := w.client.Post(w.worker.URL+"/rsa", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%d %s", res.StatusCode, b)
	}
	return json.Unmarshal(b, answer)
}

// wantSigned signs a text in the Worker, compares the signature with that of the
// standard library, and has the Worker verify it.
func (w *world) wantSigned(key *rsa.PrivateKey, text string) {
	w.Helper()
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		w.Fatal(err)
	}
	sum := sha256.Sum256([]byte(text))
	want, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		w.Fatal(err)
	}
	var got []byte
	if err := w.call(pkcs8, []byte(text), nil, &got); err != nil || !bytes.Equal(got, want) {
		w.Errorf("%.40q is signed %x, %v", text, got, err)
	}
	w.wantVerified(key, text, want, true)
}

func (w *world) wantVerified(key *rsa.PrivateKey, text string, signature []byte, want bool) {
	w.Helper()
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		w.Fatal(err)
	}
	var ok bool
	if err := w.call(spki, []byte(text), signature, &ok); err != nil || ok != want {
		w.Errorf("%.40q verifies: %t, %v, want %t", text, ok, err, want)
	}
}

var newKeys = sync.OnceValues(func() (keys [3]*rsa.PrivateKey, err error) {
	for i := range keys {
		if keys[i], err = rsa.GenerateKey(rand.Reader, 2048+1024*(i%2)); err != nil {
			break
		}
	}
	return keys, err
})

// WebCrypto signs as the standard library does, and verifies nothing else.
func TestPlatformRSA(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	keys, err := newKeys()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		for _, text := range []string{"", "茶🍵\x00\n", strings.Repeat("long ", 6_000)} {
			w.wantSigned(key, text)
		}
	}
	sum := sha256.Sum256([]byte("text"))
	signature, err := rsa.SignPKCS1v15(nil, keys[0], crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	w.wantVerified(keys[0], "text", signature, true)
	w.wantVerified(keys[0], "test", signature, false)
	w.wantVerified(keys[2], "text", signature, false)
	w.wantVerified(keys[0], "text", signature[1:], false)
	w.wantVerified(keys[0], "text", []byte{}, false)
	w.wantVerified(keys[0], "text", append(signature, 0), false)

	// A key that WebCrypto rejects is named, and no part of it.
	pkcs8, err := x509.MarshalPKCS8PrivateKey(keys[0])
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(pkcs8)
	damaged[len(damaged)/2] ^= 1
	spki, err := x509.MarshalPKIXPublicKey(&keys[0].PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string][]byte{"nonsense": []byte("nonsense"), "cut": pkcs8[:600], "numbers that do not fit": damaged, "a public key": spki} {
		var got []byte
		if err := w.call(key, []byte("text"), nil, &got); err == nil || !strings.Contains(err.Error(), "the platform rejects the key") {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
	var ok bool
	if err := w.call(pkcs8, []byte("text"), signature, &ok); err == nil || ok {
		t.Errorf("verified with a private key: %t, %v", ok, err)
	}
	if text := w.log.String(); strings.Contains(text, base64.StdEncoding.EncodeToString(pkcs8)[40:80]) || strings.Contains(text, "DataError") {
		t.Errorf("the log has\n%s", text)
	}
}

// The Worker makes the published signatures of APIv3, byte for byte.
func TestPlatformRSASignsTheVectors(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../wechat/apiv3/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name, Kind, Key string
		Inputs          struct{ Op, Message, PEM string }
		Expected        json.RawMessage
		Verified        bool
	}
	if err := json.Unmarshal(b, &vectors); err != nil {
		t.Fatal(err)
	}
	pems := map[string]string{}
	for _, v := range vectors {
		if v.Kind == "key-material" {
			pems[strings.TrimPrefix(v.Name, "KEY ")] = v.Inputs.PEM
		}
	}
	w := newWorld(t, nil)
	signed := 0
	for _, v := range vectors {
		key, err := apiv3.ParsePrivateKey(apiv3.Secret(pems[v.Key]))
		if v.Kind != "rsa-v3" || v.Inputs.Op != "sign" || !v.Verified || err != nil {
			continue
		}
		var want string
		if err := json.Unmarshal(v.Expected, &want); err != nil {
			t.Fatal(err)
		}
		var got []byte
		if err := w.call(key.PKCS8(), []byte(v.Inputs.Message), nil, &got); err != nil || base64.StdEncoding.EncodeToString(got) != want {
			t.Errorf("%s: %x, %v", v.Name, got, err)
		}
		signature, err := base64.StdEncoding.DecodeString(want)
		if err != nil {
			t.Fatal(err)
		}
		var ok bool
		if err := w.call(key.Public().SPKI(), []byte(v.Inputs.Message), signature, &ok); err != nil || !ok {
			t.Errorf("%s: verifies %t, %v", v.Name, ok, err)
		}
		signed++
	}
	if signed < 10 {
		t.Errorf("%d vectors were signed", signed)
	}
}

// Requests that sign at the same time, in several programs of one isolate, with more
// keys than an isolate keeps, and after a program died.
func TestPlatformRSAUnderLoad(t *testing.T) {
	w := newWorld(t, nil)
	keys, err := newKeys()
	if err != nil {
		t.Fatal(err)
	}
	inParallel(96, 32, func(i int) { w.wantSigned(keys[i%len(keys)], fmt.Sprint("text ", i)) })
	for _, by := range []string{"panic", "exit"} {
		if status, _, err := w.get("/die", "by", by); err == nil && status == http.StatusOK {
			t.Errorf("%s: the program lives", by)
		}
		w.wantSigned(keys[0], "after "+by)
	}
	// Public keys are quickly made: another bit of the modulus, another key.
	sum := sha256.Sum256([]byte("text"))
	signature, err := rsa.SignPKCS1v15(nil, keys[0], crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		n := new(big.Int).SetBit(keys[0].N, 100+i, keys[0].N.Bit(100+i)^1)
		w.wantVerified(&rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: keys[0].E}}, "text", signature, false)
	}
	w.wantVerified(keys[0], "text", signature, true)
	w.wantSigned(keys[1], "text")
}
