package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"h5pay/internal/cst"
	"h5pay/wechat/wechattest"
)

func TestAxiosPluginV3(t *testing.T) { v3Modes(t, func(t *testing.T, w *v3World) { w.node("axios") }) }

func TestNodeV3(t *testing.T) { v3Modes(t, func(t *testing.T, w *v3World) { w.node("node") }) }

// node runs v3.mjs with one of its SDKs. The script makes the journey itself. The phone checks the
// pay parameters that the SDK signed.
func (w *v3World) node(sdk string) {
	t := w.t
	t.Helper()
	dir := t.TempDir()
	if err := w.WriteCertificates(dir); err != nil {
		t.Fatal(err)
	}
	root, err := os.ReadFile(filepath.Join(dir, wechattest.RootFile))
	if err != nil {
		t.Fatal(err)
	}
	secure, err := url.Parse(w.TLSURL)
	if err != nil {
		t.Fatal(err)
	}
	input, err := json.Marshal(map[string]any{
		"sdk": sdk, "keys": w.keys, "appid": wechattest.DefaultAppID, "openid": w.User().OpenID, "tlsPort": secure.Port(), "ca": string(root),
		"deskURL": w.DeskURL, "billDate": cst.In(w.Now()).Format(time.DateOnly),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "../../node_modules/.bin/node", "v3.mjs")
	cmd.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		ms := w.Messages(0)
		t.Fatalf("v3.mjs: %v\n%s\nthe last message: %+v", err, stderr.Bytes(), ms[max(len(ms)-1, 0):])
	}
	var got struct {
		Params map[string]string `json:"params"`
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("v3.mjs printed %s: %v", out, err)
	}
	if _, declined := w.Invoke(bridgeCall(t, w.PhoneURL+"/", got.Params)); declined != nil {
		t.Errorf("the phone rejected the SDK's parameters: %+v", declined)
	}
}
