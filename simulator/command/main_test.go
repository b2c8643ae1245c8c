package command

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"h5pay/simulator/desk"
	"h5pay/wechat/wechattest"
)

var anyPorts = []string{"-port", "0", "-phone-port", "0", "-desk-port", "0", "-tls-port", "0"}

// running starts the command and returns what it prints first, up to and with
// the line that contains end; the test's end stops it.
func running(t *testing.T, end string, args ...string) string {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, append(anyPorts, args...), in, io.Discard)
		in.CloseWithError(errors.Join(err, io.EOF))
		done <- err
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("ended with %v", err)
		}
	})
	var text strings.Builder
	buf := make([]byte, 4096)
	for !strings.Contains(text.String(), end) {
		n, err := out.Read(buf)
		text.Write(buf[:n])
		if err != nil {
			t.Fatalf("%v after %s", err, text.String())
		}
	}
	go io.Copy(io.Discard, out) // the rest must not block the command
	return text.String()
}

func TestJSONSaysWhereItListens(t *testing.T) {
	openID := "o" + strings.Repeat("x", 27)
	var id desk.Identity
	printed := running(t, "\n", "-json", "-openid", openID, "-shop", "http://localhost:1/", "-seed", "7", "-time-scale", "60", "-pay-dir", "http://localhost:1/pay/", "-environment", "desktop")
	if err := json.Unmarshal([]byte(printed), &id); err != nil {
		t.Fatalf("%v in %s", err, printed)
	}
	if id.AppID != wechattest.DefaultAppID || id.ShopURL != "http://localhost:1" || id.Seed != 7 || id.TimeScale != 60 ||
		len(id.Users) != 1 || id.Users[0].OpenID != openID || len(id.PayDirs) != 1 || id.Environment != wechattest.Desktop ||
		id.V3.Serial == "" || id.V3.PublicKeyID == "" || !strings.Contains(id.V3.PrivateKey, "PRIVATE KEY") || id.V3Dir != "" {
		t.Errorf("%+v", id)
	}
	for _, url := range []string{id.DeskURL + "/", id.DeskURL + "/control/info", id.PhoneURL + "/__wechat/bridge.js", id.WeChatURL + "/sns/auth"} {
		res, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		if res.Body.Close(); res.StatusCode != 200 {
			t.Errorf("%s: %d", url, res.StatusCode)
		}
	}
}

func TestTableShowsEverythingAShopNeeds(t *testing.T) {
	table := running(t, "Ctrl-C")
	for _, want := range []string{"Open  http://localhost:", wechattest.DefaultAppID, wechattest.DefaultAppSecret, wechattest.DefaultMchID,
		wechattest.DefaultAPIKey, wechattest.DefaultAPIv3Key, "serial_no", "PUB_KEY_ID_", "http://localhost:8787", "api.mch.weixin.qq.com", "notify_url", "seed"} {
		if !strings.Contains(table, want) {
			t.Errorf("the table lacks %q:\n%s", want, table)
		}
	}
}

func TestPortInUseNamesItsFlag(t *testing.T) {
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	for _, name := range portFlags {
		args := append([]string(nil), anyPorts...)
		for i, arg := range args {
			if arg == "-"+name {
				args[i+1] = strconv.Itoa(port)
			}
		}
		err := run(t.Context(), args, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), strconv.Itoa(port)) || !strings.Contains(err.Error(), "-"+name+" ") {
			t.Errorf("-%s: %v", name, err)
		}
	}
}

// With the files of -cert-dir a client can use the TLS port and its refund call.
func TestCertificatesAreWrittenOnRequest(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cert")
	var id desk.Identity
	printed := running(t, "\n", "-json", "-cert-dir", dir, "-plain-refunds", "-h5-domain", "m.shop.example", "-refund-notify-url", "https://shop.example/refund", "-refund-time", "1s")
	if err := json.Unmarshal([]byte(printed), &id); err != nil {
		t.Fatal(err)
	}
	if !id.PlainRefunds || id.RefundNotifyURL != "https://shop.example/refund" || len(id.H5Domains) != 1 || !strings.HasPrefix(id.TLSURL, "https://localhost:") {
		t.Errorf("%+v", id)
	}
	cert, err := tls.LoadX509KeyPair(filepath.Join(dir, wechattest.CertFile), filepath.Join(dir, wechattest.KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.ReadFile(filepath.Join(dir, wechattest.RootFile))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(root)
	for _, certs := range [][]tls.Certificate{nil, {cert}} {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: certs}}}
		res, err := client.Post(id.TLSURL+"/secapi/pay/refund", "text/xml", strings.NewReader("<xml></xml>"))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		client.CloseIdleConnections()
		if want := map[bool]int{true: 200, false: 400}[certs != nil]; res.StatusCode != want {
			t.Errorf("%d certificates: %d, want %d", len(certs), res.StatusCode, want)
		}
	}
	err = run(t.Context(), append(anyPorts, "-cert-dir", filepath.Join(dir, wechattest.CertFile)), io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "certificates") {
		t.Errorf("into a file: %v", err)
	}
}

// A request that is signed with the files of -v3-dir is accepted at the WeChat port.
func TestV3KeysAreWrittenOnRequest(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "v3")
	var id desk.Identity
	printed := running(t, "\n", "-json", "-v3-dir", dir, "-v3-mode", "both")
	if err := json.Unmarshal([]byte(printed), &id); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, wechattest.CertFile), filepath.Join(dir, wechattest.KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	values, err := os.ReadFile(filepath.Join(dir, wechattest.V3File))
	if err != nil {
		t.Fatal(err)
	}
	serial := regexp.MustCompile(`(?m)^serial_no=([0-9A-F]{40})$`).FindSubmatch(values)
	if serial == nil || !strings.Contains(string(values), "mode=both\n") {
		t.Fatalf("%s holds %s", wechattest.V3File, values)
	}
	uri := "/v3/pay/transactions/out-trade-no/unknown-1?mchid=" + id.MchID
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	sum := sha256.Sum256([]byte("GET\n" + uri + "\n" + timestamp + "\nnonce\n\n"))
	signature, err := pair.PrivateKey.(crypto.Signer).Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, id.WeChatURL+uri, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", fmt.Sprintf(`WECHATPAY2-SHA256-RSA2048 mchid="%s",nonce_str="nonce",signature="%s",timestamp="%s",serial_no="%s"`,
		id.MchID, base64.StdEncoding.EncodeToString(signature), timestamp, serial[1]))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusNotFound || !strings.Contains(string(body), "ORDER_NOT_EXIST") {
		t.Errorf("%d %s, %v", res.StatusCode, body, err)
	}
	err = run(t.Context(), append(anyPorts, "-v3-dir", filepath.Join(dir, wechattest.CertFile)), io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "APIv3") {
		t.Errorf("into a file: %v", err)
	}
}

func TestBadFlagsAreNamed(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"-surprise"}, "surprise"},
		{[]string{"serve"}, "serve"},
		{[]string{"-port", "x"}, "port"},
		{[]string{"-port", "70000"}, "-port"},
		{[]string{"-desk-port", "-1"}, "-desk-port"},
		{append(anyPorts, "-appid", "x"), "AppID"},
		{append(anyPorts, "-key", "short"), "APIKey"},
		{append(anyPorts, "-v3-key", "short"), "APIv3Key"},
		{append(anyPorts, "-v3-mode", "none"), "V3Mode"},
		{append(anyPorts, "-shop", "localhost:8787"), "ShopURL"},
		{append(anyPorts, "-environment", "symbian"), "Environment"},
		{append(anyPorts, "-time-scale", "0"), "-time-scale"},
		{append(anyPorts, "-seed", "0"), "-seed"},
		{append(anyPorts, "-openid", "x"), "openid"},
		{append(anyPorts, "-h5-domain", "https://x"), "H5Domains"},
		{append(anyPorts, "-refund-time", "-1s"), "RefundTime"},
		{append(anyPorts, "-refund-notify-url", "x?y"), "RefundNotifyURL"},
	} {
		var stderr bytes.Buffer
		err := run(t.Context(), c.args, io.Discard, &stderr)
		if err == nil || !strings.Contains(err.Error()+stderr.String(), c.says) {
			t.Errorf("%v: %v %s, want %q in it", c.args, err, stderr.String(), c.says)
		}
		if strings.Contains(err.Error()+stderr.String(), "short") {
			t.Error("the key is in the message")
		}
	}
	var stderr bytes.Buffer
	if err := run(t.Context(), []string{"-help"}, io.Discard, &stderr); !errors.Is(err, flag.ErrHelp) || !strings.Contains(stderr.String(), "-time-scale") {
		t.Errorf("%v %s", err, stderr.String())
	}
}
