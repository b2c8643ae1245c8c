package wechattest

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestV3Files(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, mode(V3Both))
	dir := filepath.Join(t.TempDir(), "keys")
	if err := m.WriteV3(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := tls.LoadX509KeyPair(filepath.Join(dir, CertFile), filepath.Join(dir, KeyFile)); err != nil {
		t.Error(err)
	}
	id := m.V3()
	for name, want := range map[string]string{
		PublicKeyFile: id.PublicKey,
		"wechatpay_" + id.Certificates[0].Serial + ".pem": id.Certificates[0].PEM,
	} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, V3File))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"mode=both", "mchid=" + m.cfg.MchID, "apiv3_key=" + DefaultAPIv3Key, "serial_no=" + id.Serial, "public_key_id=" + id.PublicKeyID} {
		if !strings.Contains(string(text), line+"\n") {
			t.Errorf("%s lacks %s:\n%s", V3File, line, text)
		}
	}
	for name, mode := range map[string]os.FileMode{KeyFile: 0o600, V3File: 0o600} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
	if m.WriteV3(filepath.Join(dir, KeyFile)) == nil {
		t.Error("a file was accepted as a directory")
	}
}
