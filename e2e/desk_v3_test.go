package e2e

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"

	"h5pay/simulator/server"
	"h5pay/wechat/wechattest"
)

// v3Client is a program that calls APIv3 of a simulator.
type v3Client struct {
	t   *testing.T
	sim *server.Server
}

// call sends a request. mistake changes the text that is signed.
func (c v3Client) call(method, uri, body string, mistake func(text string) string) *http.Response {
	c.t.Helper()
	id := c.sim.V3()
	block, _ := pem.Decode([]byte(id.PrivateKey))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		c.t.Fatal(err)
	}
	timestamp, nonce := fmt.Sprint(c.sim.Now().Unix()), "5K8264ILTKCH16CQ2502SI8ZNMTM67VS"
	text := mistake(method + "\n" + uri + "\n" + timestamp + "\n" + nonce + "\n" + body + "\n")
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key.(*rsa.PrivateKey), crypto.SHA256, sum[:])
	if err != nil {
		c.t.Fatal(err)
	}
	r, err := http.NewRequest(method, c.sim.URL+uri, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Wechatpay-Serial", id.PublicKeyID)
	r.Header.Set("Authorization", fmt.Sprintf(`WECHATPAY2-SHA256-RSA2048 mchid="%s",serial_no="%s",nonce_str="%s",timestamp="%s",signature="%s"`,
		id.MchID, id.Serial, nonce, timestamp, base64.StdEncoding.EncodeToString(signature)))
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { res.Body.Close() })
	return res
}

// pay places a NATIVE order and pays it on the phone.
func (c v3Client) pay(no string) {
	c.t.Helper()
	body, err := json.Marshal(map[string]any{
		"appid": wechattest.DefaultAppID, "mchid": wechattest.DefaultMchID, "description": "山岚小铺-茶", "out_trade_no": no,
		"notify_url": c.sim.Config().ShopURL + "/notify", "amount": map[string]any{"total": 880},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	res := c.call("POST", wechattest.PathV3Native, string(body), right)
	var answer struct {
		CodeURL string `json:"code_url"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode != 200 {
		c.t.Fatalf("%d, %v", res.StatusCode, err)
	}
	sheet, err := c.sim.Scan(answer.CodeURL)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.sim.PaySheet(sheet.ID); err != nil {
		c.t.Fatal(err)
	}
	c.sim.Advance(0)
}

// last returns the newest message of a kind.
func (c v3Client) last(kind string) wechattest.Message {
	c.t.Helper()
	for _, m := range slices.Backward(c.sim.Messages(0)) {
		if m.Kind == kind {
			return m
		}
	}
	c.t.Fatalf("no message %s", kind)
	return wechattest.Message{}
}

func right(text string) string { return text }

// deskV3 starts a simulator whose shop acknowledges every notification, and opens its
// desk in a language.
func deskV3(t *testing.T, language string, mode wechattest.V3Mode) (v3Client, *tab) {
	t.Helper()
	shop := http.NewServeMux()
	shop.HandleFunc("/notify", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	})
	shop.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, `<!doctype html><meta name="viewport" content="width=device-width"><title>shop</title><p>山岚小铺`)
	})
	origin := httptest.NewServer(shop)
	t.Cleanup(origin.Close)
	sim := server.Start(t, server.Config{V3Dir: t.TempDir(), WeChat: wechattest.Config{V3Mode: mode, ShopURL: origin.URL}})
	tb := newTab(t)
	agent := tb.eval("navigator.userAgent")
	tb.run(emulation.SetUserAgentOverride(agent).WithAcceptLanguage(language), emulation.SetDeviceMetricsOverride(1280, 800, 1, false), emulation.SetTouchEmulationEnabled(false))
	tb.open(sim.DeskURL)
	tb.until("the event stream", `document.querySelector("#link.on")`)
	return v3Client{t, sim}, tb
}

// look saves the tab in both sizes as artifacts. It checks overflow, accessibility, and
// that no key of a text is shown.
func (tb *tab) look(name string, also func(size string)) {
	tb.t.Helper()
	for _, s := range []struct {
		name          string
		width, height int64
	}{{"1280x800", 1280, 800}, {"390x844", 390, 844}} {
		tb.run(emulation.SetDeviceMetricsOverride(s.width, s.height, 1, s.width < 800))
		tb.eval(`document.querySelector(".tabs").scrollIntoView({block: "start"}), ""`)
		if also != nil {
			also(s.name)
		}
		tb.screenshot("desk-v3-" + name + "-" + s.name)
		if wide := tb.eval(tooWide); wide != "" {
			tb.t.Errorf("%s at %s: the page is %s pixels wide", name, s.name, wide)
		}
		if wide := tb.eval(`[...document.querySelectorAll(".panel:not([hidden]) .scroll")].filter(e => e.scrollWidth > e.clientWidth).map(e => "the panel is " + e.scrollWidth + " pixels wide").join()`); wide != "" {
			tb.t.Errorf("%s at %s: %s", name, s.name, wide)
		}
		if key := tb.eval(`(document.body.innerText.match(/\b(?:fact|verdict|v3|needs|string|signature|forge|refund_forge|title|compare|digest)\.[a-z_][a-z_.]+\b/) || [""])[0]`); key != "" && key != "v3.txt" {
			tb.t.Errorf("%s shows the key %s", name, key)
		}
		if strings.Contains(tb.text(), "[object ") {
			tb.t.Errorf("%s shows an object", name)
		}
		tb.accessible(name + " at " + s.name)
	}
	tb.run(emulation.SetDeviceMetricsOverride(1280, 800, 1, false))
}

// A program signs a call of APIv3 wrongly. The desk shows the signed text and the expected one, and
// names the mistake.
func TestDeskShowsBothTextsOfAWrongSignature(t *testing.T) {
	for language, words := range map[string]struct{ theirs, yours, differ, reply string }{
		"zh-CN": {"微信验签时的待签名串", "你的程序实际签名的内容", "位于 body", "响应的签名"},
		"en-US": {"WeChat signs this to check it", "Your program signed this", "in body", "Signature of the response"},
	} {
		t.Run(language, func(t *testing.T) {
			client, tb := deskV3(t, language, wechattest.V3PublicKey)
			const body = `{"echo_message":"hello"}`
			res := client.call("POST", wechattest.PathV3Echo, body, func(text string) string { return strings.TrimSuffix(text, "\n") })
			if res.StatusCode != http.StatusUnauthorized {
				t.Fatalf("status %d", res.StatusCode)
			}
			tb.tap(`[...document.querySelectorAll(".row .line")].findLast(e => e.innerText.includes("v3 echo"))`)
			for _, text := range []string{words.theirs, words.yours, words.differ, "the last line feed is missing", "U+000A", "sign_message_length", "Authorization: WECHATPAY2-SHA256-RSA2048", "Wechatpay-Serial: " + client.sim.V3().PublicKeyID} {
				tb.sees(text)
			}
			// The texts are those of the record, and one line feed differs.
			last := client.last("v3_echo").Signed
			shown := tb.eval(`JSON.stringify([...document.querySelectorAll(".sides .string")].map(e => { e = e.cloneNode(true); e.querySelectorAll(".lf").forEach(f => f.remove()); return e.textContent; }))`)
			want, err := json.Marshal([]string{last.String, last.Yours})
			if err != nil {
				t.Fatal(err)
			}
			if shown != strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(want)) {
				t.Errorf("shown %s, recorded %s", shown, want)
			}
			if marked := tb.eval(`String(document.querySelectorAll(".sides .differs").length)`); marked != "1" {
				t.Errorf("%s places are marked", marked)
			}
			tb.look("signature-"+language, nil)
			// A right call shows the signature of the response.
			if res := client.call("POST", wechattest.PathV3Echo, body, right); res.StatusCode != http.StatusOK {
				t.Fatalf("status %d", res.StatusCode)
			}
			tb.until("the call", `document.querySelectorAll('.row[data-verdict="ok"]').length > 0 && [...document.querySelectorAll(".row .line")].some(e => e.innerText.includes("v3 echo") && e.innerText.includes("ok"))`)
			tb.tap(`[...document.querySelectorAll(".row .line")].findLast(e => e.innerText.includes("v3 echo") && e.innerText.includes("ok"))`)
			tb.sees(words.reply)
			tb.sees("Wechatpay-Signature-Type: WECHATPAY2-SHA256-RSA2048")
			tb.look("reply-"+language, nil)
		})
	}
}

// The forgeries of a payment of APIv3 and the changes of keys, in both languages.
func TestDeskSteersAPIv3(t *testing.T) {
	for language, words := range map[string]struct{ acknowledged, forge, probe, both, announce, revoke string }{
		"zh-CN": {"已确认", "伪造…", "签名探测流量 WECHATPAY/SIGNTEST/", "两者并存", "发布新证书", "作废旧证书"},
		"en-US": {"acknowledged", "Forge…", "A probe, WECHATPAY/SIGNTEST/", "both", "Announce another", "Revoke the old ones"},
	} {
		t.Run(language, func(t *testing.T) {
			client, tb := deskV3(t, language, wechattest.V3PublicKey)
			client.pay("desk3001")
			tb.tap(`document.getElementById("tab-ledger")`)
			tb.sees("desk3001")
			tb.sees(words.acknowledged) // the response moves the buttons
			tb.tap(button(words.forge))
			tb.sees(words.probe)
			tb.screenshot("desk-v3-forge-" + language)
			tb.tap(`[...document.querySelectorAll("#forge button")].find(e => e.innerText.includes("bad_tag"))`)
			tb.sees("bad_tag")
			tb.look("ledger-"+language, nil)
			notifications := client.sim.Ledger().Notifications
			if n := len(notifications); n != 2 || notifications[n-1].Forge != wechattest.ForgeBadTag {
				t.Errorf("notifications %+v", notifications)
			}
			tb.tap(`document.getElementById("tab-log")`)
			tb.tap(`[...document.querySelectorAll(".row .line")].find(e => e.innerText.includes("desk3001") && e.innerText.includes("#1"))`)
			tb.sees("Wechatpay-Signature-Type")
			tb.sees("TRANSACTION.SUCCESS")
			tb.look("callback-"+language, nil)

			tb.tap(`document.getElementById("tab-v3")`)
			before := client.sim.V3()
			tb.eval(`(e => { e.value = "both"; e.dispatchEvent(new Event("change")); })(document.getElementById("v3-mode")), ""`)
			tb.sees(words.announce)
			step := func(id string) {
				t.Helper()
				panel := tb.eval(`document.getElementById("panel-v3").innerText`)
				tb.tap(`document.getElementById("` + id + `")`)
				shown, err := json.Marshal(panel)
				if err != nil {
					t.Fatal(err)
				}
				tb.until("a change by "+id, `document.getElementById("panel-v3").innerText !== `+string(shown))
			}
			step("v3-merchant-key-rotate")
			tb.sees(words.revoke)
			tb.until("the focus to stay", `document.activeElement.id === "v3-merchant-key-rotate"`)
			tb.look("keys-"+language, nil)
			for _, id := range []string{"v3-merchant-key-revoke", "v3-public-key-rotate", "v3-certificate-announce", "v3-certificate-rotate", "v3-key"} {
				step(id)
			}
			tb.eval(`document.getElementById("v3-share").value = "12.5", ""`)
			tb.tap(`document.getElementById("v3-set")`)
			tb.until("the share", `document.getElementById("v3-share").getAttribute("value") === "12.5"`)
			now := client.sim.V3()
			if now.Share != 12.5 || now.Mode != wechattest.V3Both || now.Serial == before.Serial || len(now.ValidSerials) != 1 || now.PublicKeyID == before.PublicKeyID ||
				len(now.Certificates) != 2 || !now.Certificates[1].Signs || now.APIv3Key == before.APIv3Key {
				now.PrivateKey, now.PublicKey, now.Certificate = "", "", "" // long
				t.Errorf("%+v", now)
			}
			// A change from elsewhere is shown, too. It leaves what the person does alone.
			tb.eval(`(e => { e.focus(); e.value = "30"; document.querySelector("#panel-v3 details").open = true; })(document.getElementById("v3-share")), ""`)
			serial := client.sim.RotateV3MerchantKey()
			tb.sees(serial)
			if kept := tb.eval(`[document.getElementById("v3-share").value, document.activeElement.id, document.querySelector("#panel-v3 details").open].join()`); kept != "30,v3-share,true" {
				t.Errorf("after a change from elsewhere: %s", kept)
			}
			tb.tap(`document.getElementById("tab-connect")`)
			tb.until("the new serial number", `document.getElementById("panel-connect").innerText.includes("`+serial+`")`)
			tb.look("connect-"+language, func(string) { tb.eval(`document.getElementById("v3-curl").scrollIntoView({block: "end"}), ""`) })
		})
	}
}

// The shell script of the connect panel calls APIv3 in every mode.
func TestDeskCurlOfAPIv3(t *testing.T) {
	for _, mode := range []wechattest.V3Mode{wechattest.V3PublicKey, wechattest.V3Certificates, wechattest.V3Both} {
		_, tb := deskV3(t, "en-US", mode)
		tb.tap(`document.getElementById("tab-connect")`)
		tb.until("the script", `document.getElementById("v3-curl")`)
		script := exec.CommandContext(t.Context(), "sh", "-c", tb.eval(`document.getElementById("v3-curl").textContent`))
		out, err := script.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "HTTP/1.1 200 OK") || !strings.Contains(string(out), `{"echo_message":"hello"`) {
			t.Errorf("%s: %v\n%s", mode, err, out)
		}
	}
}
