package desk

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"h5pay/simulator/simtest"
	"h5pay/wechat/wechattest"
)

func TestControlChangesKeysOfAPIv3(t *testing.T) {
	t.Parallel()
	w := simtest.New(t)
	dir := t.TempDir()
	desk := httptest.NewServer(New(w.WeChat, Config{V3Dir: dir}))
	t.Cleanup(desk.Close)
	post := func(path, body string) wechattest.V3Identity {
		t.Helper()
		if res, text := simtest.Fetch(t, "POST", desk.URL+"/control/v3/"+path, body); res.StatusCode != 200 {
			t.Fatalf("%s: %d %s", path, res.StatusCode, text)
		}
		return w.V3()
	}
	read := func(name string) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}

	before := w.V3()
	if now := post("mode", `{"mode":"both"}`); now.Mode != wechattest.V3Both || len(now.Certificates) != 1 || now.PublicKeyID != before.PublicKeyID {
		t.Errorf("mode: %+v", now)
	}
	if now := post("share", `{"percent":10}`); now.Share != 10 {
		t.Errorf("share %v", now.Share)
	}
	now := post("merchant-key/rotate", "")
	if diff := cmp.Diff([]string{before.Serial, now.Serial}, now.ValidSerials); diff != "" || now.Serial == before.Serial {
		t.Errorf("rotated to %s: %s", now.Serial, diff)
	}
	if read("apiclient_key.pem") != now.PrivateKey || !strings.Contains(read("v3.txt"), "serial_no="+now.Serial) {
		t.Error("the files have another merchant key")
	}
	if now = post("merchant-key/revoke", ""); len(now.ValidSerials) != 1 || now.ValidSerials[0] != now.Serial {
		t.Errorf("valid after the revocation: %v", now.ValidSerials)
	}
	if now = post("public-key/rotate", ""); now.PublicKeyID == before.PublicKeyID || read("pub_key.pem") != now.PublicKey {
		t.Error("the public key is the one before")
	}
	if now = post("certificate/announce", ""); len(now.Certificates) != 2 || !now.Certificates[0].Signs {
		t.Errorf("announced: %+v", now.Certificates)
	}
	if now = post("certificate/rotate", ""); len(now.Certificates) != 2 || !now.Certificates[1].Signs || read("wechatpay_"+now.Certificates[1].Serial+".pem") != now.Certificates[1].PEM {
		t.Errorf("rotated: %+v", now.Certificates)
	}
	if now = post("key", `{"key":"`+strings.Repeat("k", 32)+`"}`); now.APIv3Key != strings.Repeat("k", 32) {
		t.Error("the APIv3 key is another one")
	}
	if now = post("key", `{}`); now.APIv3Key == strings.Repeat("k", 32) || len(now.APIv3Key) != 32 || !strings.Contains(read("v3.txt"), now.APIv3Key) {
		t.Errorf("the APIv3 key that the simulator made has %d characters", len(now.APIv3Key))
	}
}

func TestControlRejectsBadKeysOfAPIv3(t *testing.T) {
	t.Parallel()
	w, call := deskOf(t)
	before := w.V3()
	for _, c := range []struct{ path, body, says string }{
		{"mode", `{"mode":"v4"}`, "mode"},
		{"mode", `{}`, "mode"},
		{"mode", `{"modus":"both"}`, "modus"},
		{"share", `{}`, "percent"},
		{"share", `{"percent":-1}`, "percent"},
		{"share", `{"percent":100.5}`, "percent"},
		{"share", `{"percent":"10"}`, "percent"},
		{"key", `{"key":"short"}`, "key"},
		{"key", ``, "empty"},
	} {
		status, answer := call("POST", "/control/v3/"+c.path, c.body)
		if text, _ := answer["error"].(string); status != 400 || !strings.Contains(text, c.says) {
			t.Errorf("%s %s: %d %v", c.path, c.body, status, answer)
		}
	}
	if diff := cmp.Diff(before, w.V3()); diff != "" {
		t.Errorf("a rejected call changed %s", diff)
	}
}

// A change of keys that cannot be written to files is an error, and its text has that the keys
// changed.
func TestControlReportsKeysThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	w := simtest.New(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	desk := httptest.NewServer(New(w.WeChat, Config{V3Dir: filepath.Join(file, "dir")}))
	t.Cleanup(desk.Close)
	before := w.V3().Serial
	res, text := simtest.Fetch(t, "POST", desk.URL+"/control/v3/merchant-key/rotate", "")
	if res.StatusCode != 500 || !strings.Contains(text, "the keys were changed") || w.V3().Serial == before {
		t.Errorf("%d %s", res.StatusCode, text)
	}
}

func TestInfoHasTheValuesOfAPIv3(t *testing.T) {
	t.Parallel()
	w, call := deskOf(t, func(c *wechattest.Config) { c.V3Mode = wechattest.V3Certificates })
	events, stop := w.Subscribe()
	defer stop()
	_, info := call("GET", "/control/info", "")
	id, _ := info["v3"].(map[string]any)
	now := w.V3()
	for name, want := range map[string]any{"mode": "certificates", "mch_id": wechattest.DefaultMchID, "api_v3_key": wechattest.DefaultAPIv3Key, "serial": now.Serial, "private_key": now.PrivateKey} {
		if id[name] != want {
			t.Errorf("%s is %v, want %v", name, id[name], want)
		}
	}
	if len(info["v3_forgeries"].([]any)) != len(wechattest.V3Forgeries()) || len(info["v3_refund_forgeries"].([]any)) != len(wechattest.V3RefundForgeries()) {
		t.Errorf("%v, %v", info["v3_forgeries"], info["v3_refund_forgeries"])
	}
	call("POST", "/control/v3/key", "{}")
	if e := <-events; e.Kind != wechattest.EventV3 {
		t.Errorf("event %+v", e)
	}
	if _, id := call("GET", "/control/v3", ""); id["api_v3_key"] != w.V3().APIv3Key {
		t.Errorf("the key is %v", id["api_v3_key"])
	}
}
