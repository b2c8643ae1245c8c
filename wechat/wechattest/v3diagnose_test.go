package wechattest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Each usual mistake is found, and the log has both texts.
func TestV3DiagnosesRequests(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, tame)
	old := m.key
	oldSerial := m.serial
	m.RotateV3MerchantKey()
	m.refresh()
	timestamp := itoa(m.Now().Unix())
	body := `{"mchid":"` + m.cfg.MchID + `","out_trade_no":"diag-1","description":"茶 & \"水\"","notify_url":"` + notifyURL + `","amount":{"total":1}}`
	var decoded any
	if err := json.Unmarshal([]byte(body), &decoded); err != nil {
		t.Fatal(err)
	}
	sorted, err := json.Marshal(decoded)
	if err != nil {
		t.Fatal(err)
	}
	get := "/v3/pay/transactions/out-trade-no/diag%7C1?mchid=" + m.cfg.MchID
	post := func(body string) string {
		return "POST\n" + PathV3Native + "\n" + timestamp + "\nn0nce\n" + body + "\n"
	}
	query := func(uri string) string { return "GET\n" + uri + "\n" + timestamp + "\nn0nce\n\n" }
	sha1Of := func(text string) string {
		sum := sha1.Sum([]byte(text))
		b, err := rsa.SignPKCS1v15(rand.Reader, m.key, crypto.SHA1, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(b)
	}
	pss := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		b, err := rsa.SignPSS(rand.Reader, m.key, crypto.SHA256, sum[:], nil)
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(b)
	}
	hashed := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return hex.EncodeToString(sum[:])
	}
	raw, err := base64.StdEncoding.DecodeString(signWith(m.key, post(body)))
	if err != nil {
		t.Fatal(err)
	}
	python := `{"mchid": "` + m.cfg.MchID + `", "out_trade_no": "diag-1", "description": "\u8336 & \"\u6c34\"", "notify_url": "` + notifyURL + `", "amount": {"total": 1}}`
	php := strings.ReplaceAll(strings.NewReplacer("茶", `\u8336`, "水", `\u6c34`).Replace(body), "/", `\/`)
	for _, c := range []struct {
		name, method, signed string // signed is the text, when it is a text that was signed
		signature            string // "" signs signed
		note                 string
		known                bool // the log has the text that was signed
	}{
		{"no last line feed", "POST", strings.TrimSuffix(post(body), "\n"), "", "the last line feed is missing", true},
		{"CR LF", "POST", strings.ReplaceAll(post(body), "\n", "\r\n"), "", "CR LF", true},
		{"backslash n", "POST", strings.ReplaceAll(post(body), "\n", `\n`), "", "backslash", true},
		{"no body", "POST", post(""), "", "the body was left out", true},
		{"sorted body", "POST", post(string(sorted)), "", "written anew", true},
		{"body as Python writes it", "POST", post(python), "", "written anew", true},
		{"body as PHP writes it", "POST", post(php), "", "written anew", true},
		{"milliseconds", "POST", strings.Replace(post(body), timestamp, timestamp+"417", 1), "", "milliseconds", true},
		{"another second", "POST", strings.Replace(post(body), timestamp, itoa(m.Now().Unix()-7), 1), "", "not the one that was signed", true},
		{"order", "POST", strings.Replace(post(body), timestamp+"\nn0nce", "n0nce\n"+timestamp, 1), "", "wrong order", true},
		{"method", "POST", strings.Replace(post(body), "POST", "post", 1), "", "the method was signed", true},
		{"host", "POST", strings.Replace(post(body), PathV3Native, "https://api.mch.weixin.qq.com"+PathV3Native, 1), "", "the host was signed", true},
		{"the simulator's host", "POST", strings.Replace(post(body), PathV3Native, "http://example.com"+PathV3Native, 1), "", "the host was signed", true},
		{"two mistakes", "POST", strings.TrimSuffix(strings.Replace(post(body), PathV3Native, "https://api.mch.weixin.qq.com"+PathV3Native, 1), "\n"), "", "the host was signed too: only path and query are; the last line feed is missing", true},
		{"no query", "GET", query("/v3/pay/transactions/out-trade-no/diag%7C1"), "", "the query was left out", true},
		{"unescaped", "GET", query("/v3/pay/transactions/out-trade-no/diag|1?mchid=" + m.cfg.MchID), "", "signed unescaped", true},
		{"no empty line", "GET", strings.TrimSuffix(query(get), "\n"), "", "an empty body keeps its line", true},
		{"host and no query", "GET", query("https://api.mch.weixin.qq.com/v3/pay/transactions/out-trade-no/diag%7C1"), "", "the query left out", true},
		{"a body of a GET", "GET", strings.TrimSuffix(query(get), "\n") + "{}\n", "", "a body was signed that was not sent", true},
		{"another text", "POST", "something else", "", "the key is right, but another text", false},
		{"hashed twice", "POST", hashed(post(body)), "", "hashed twice", false},
		{"SHA-1", "POST", "", sha1Of(post(body)), "SHA-1", false},
		{"PSS", "POST", "", pss(post(body)), "PSS", false},
		{"an MD5 of APIv2", "POST", "", "9A0A8659F005D6984697E2CA0A9CF3B7", "APIv2 (MD5)", false},
		{"an HMAC of APIv2", "POST", "", strings.ToUpper(hashed("x")), "APIv2 (HMAC-SHA256)", false},
		{"the hex digits", "POST", "", hex.EncodeToString(raw), "in hex", false},
		{"URL-safe base64", "POST", "", base64.RawURLEncoding.EncodeToString(raw), "base64 of another kind", false},
		{"percent-encoded", "POST", "", url.QueryEscape(base64.StdEncoding.EncodeToString(raw)), "percent-encoded", false},
		{"no base64", "POST", "", "!", "not in base64", false},
		{"another length", "POST", "", base64.StdEncoding.EncodeToString(raw[:128]), "has 128 bytes", false},
		{"nothing", "POST", "", "", "there is no signature", false},
		{"a stranger's key", "POST", "", signWith(rsaKeys()[7], post(body)), "not signed with the merchant's private key", false},
		{"the old key", "POST", "", signWith(old, post(body)), "the key of the certificate " + oldSerial, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			uri, sent := PathV3Native, body
			if c.method == "GET" {
				uri, sent = get, ""
			}
			signature := c.signature
			if c.signed != "" {
				signature = signWith(m.key, c.signed)
			}
			r := m.request(c.method, uri, sent)
			r.Host = "example.com"
			m.authorize(r, timestamp, "n0nce", signature)
			a := m.send(r)
			if a.Code != http.StatusUnauthorized || !strings.Contains(a.Body.String(), "签名错误") {
				t.Fatalf("%d %s", a.Code, a.Body)
			}
			last := m.last()
			if !strings.Contains(last.Note, c.note) {
				t.Errorf("note %q, want %q", last.Note, c.note)
			}
			right := post(body)
			if c.method == "GET" {
				right = query(get)
			}
			if last.Signed.String != right || last.Signed.OK || last.Signed.Expected != signWith(m.key, right) {
				t.Errorf("WeChat's text is %q", last.Signed.String)
			}
			want := ""
			if c.known {
				want = c.signed
			}
			if last.Signed.Yours != want {
				t.Errorf("the text that was signed is %q, want %q", last.Signed.Yours, want)
			}
		})
	}
}

// A base URL that ends in a slash makes two slashes on the wire.
func TestV3DiagnosesTwoSlashes(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, tame)
	m.place("slashes-1", "NATIVE")
	signed := m.request("GET", m.queryURI("slashes-1"), "")
	r := m.request("GET", "/"+m.queryURI("slashes-1"), "")
	if a := m.send(r); a.Code != http.StatusOK {
		t.Errorf("signed as sent: %d %s", a.Code, a.Body)
	}
	r.Header.Set("Authorization", signed.Header.Get("Authorization"))
	if a := m.send(r); a.Code != http.StatusUnauthorized || !strings.Contains(m.last().Note, "two slashes") {
		t.Errorf("signed with one: %d, note %q", a.Code, m.last().Note)
	}
}

// v3Pay is a call of the bridge with these lines, signed as sign does.
func (m *merchant) v3Pay(prepayID string, edit func(fields map[string]string), text func(appID, timeStamp, nonce, pkg string) string) InvokeCall {
	fields := map[string]string{
		"appId": m.cfg.AppID, "timeStamp": itoa(m.Now().Unix()), "nonceStr": "n0nce", "package": "prepay_id=" + prepayID, "signType": "RSA",
	}
	fields["paySign"] = signWith(m.key, text(fields["appId"], fields["timeStamp"], fields["nonceStr"], fields["package"]))
	if edit != nil {
		edit(fields)
	}
	args := map[string]json.RawMessage{}
	for name, value := range fields {
		args[name] = json.RawMessage(fmt.Sprintf("%q", value))
	}
	return m.call(args)
}

func fourLines(appID, timeStamp, nonce, pkg string) string {
	return appID + "\n" + timeStamp + "\n" + nonce + "\n" + pkg + "\n"
}

func TestV3PaySign(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, tame)
	id := m.place("paysign-1", "JSAPI")["prepay_id"].(string)
	for _, c := range []struct {
		name string
		edit func(map[string]string)
		text func(appID, timeStamp, nonce, pkg string) string
		note string
	}{
		{"no last line feed", nil, func(a, s, n, p string) string { return strings.TrimSuffix(fourLines(a, s, n, p), "\n") }, "last line feed"},
		{"the prepay_id alone", nil, func(a, s, n, p string) string { return fourLines(a, s, n, strings.TrimPrefix(p, "prepay_id=")) }, "the prepay_id alone"},
		{"milliseconds", nil, func(a, s, n, p string) string { return fourLines(a, s+"123", n, p) }, "milliseconds"},
		{"signType too", nil, func(a, s, n, p string) string { return fourLines(a, s, n, p) + "RSA\n" }, "signType is not signed"},
		{"signType of APIv2", func(f map[string]string) { f["signType"] = "MD5" }, fourLines, "takes RSA"},
		{"a sign of APIv2", func(f map[string]string) { f["paySign"] = "9A0A8659F005D6984697E2CA0A9CF3B7" }, fourLines, "APIv2"},
	} {
		_, bad := m.Invoke(m.v3Pay(id, c.edit, c.text))
		if bad == nil || bad.ErrDesc != "支付验证签名失败" || !strings.Contains(m.last().Note, c.note) {
			t.Errorf("%s: %+v, note %q", c.name, bad, m.last().Note)
		}
	}
	sheet, bad := m.Invoke(m.v3Pay(id, nil, fourLines))
	if bad != nil {
		t.Fatalf("%+v", bad)
	}
	if s, err := m.PaySheet(sheet.ID); err != nil || s.State != SheetPaid {
		t.Errorf("%+v, %v", s, err)
	}
	// An order of APIv2 does not take RSA, and one of APIv3 no key that was revoked.
	v2 := m.prepay("paysign-2")
	if _, bad := m.Invoke(m.v3Pay(v2, nil, fourLines)); bad == nil {
		t.Error("an order of APIv2 was paid with RSA")
	}
	id = m.place("paysign-3", "JSAPI")["prepay_id"].(string)
	m.RotateV3MerchantKey()
	if _, bad := m.Invoke(m.v3Pay(id, nil, fourLines)); bad != nil {
		t.Errorf("the key before: %+v", bad)
	}
	m.RevokeV3MerchantKeys()
	if _, bad := m.Invoke(m.v3Pay(id, nil, fourLines)); bad == nil {
		t.Error("a revoked key pays")
	}
}

func TestV3AppPayment(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, tame)
	id := m.place("apppay-1", "APP")["prepay_id"].(string)
	jsapi := m.place("apppay-2", "JSAPI")["prepay_id"].(string)
	good := AppCall{AppID: m.cfg.AppID, PartnerID: m.cfg.MchID, PrepayID: id, Package: "Sign=WXPay", NonceStr: "n", TimeStamp: itoa(m.Now().Unix())}
	signed := func(c AppCall, last string) AppCall {
		c.Sign = signWith(m.key, fourLines(c.AppID, c.TimeStamp, c.NonceStr, last))
		return c
	}
	for name, edit := range map[string]func(c *AppCall){
		"appid":     func(c *AppCall) { c.AppID = "wx0000000000000000" },
		"partnerid": func(c *AppCall) { c.PartnerID = "1900000001" },
		"package":   func(c *AppCall) { c.Package = "prepay_id=" + id },
		"timestamp": func(c *AppCall) { c.TimeStamp += "000" },
		"prepayid":  func(c *AppCall) { c.PrepayID = jsapi },
		"sign":      func(c *AppCall) { *c = signed(*c, "prepay_id="+id) },
	} {
		c := signed(good, id)
		edit(&c)
		if _, bad := m.InvokeApp(c); bad == nil {
			t.Errorf("%s: the sheet is open", name)
		}
		if name == "sign" && !strings.Contains(m.last().Note, "without prepay_id=") {
			t.Errorf("note %q", m.last().Note)
		}
	}
	sheet, bad := m.InvokeApp(signed(good, id))
	if bad != nil {
		t.Fatalf("%+v", bad)
	}
	if s, err := m.PaySheet(sheet.ID); err != nil || s.State != SheetPaid || s.TradeType != "APP" {
		t.Errorf("%+v, %v", s, err)
	}
	if _, bad := m.InvokeApp(signed(good, id)); bad == nil {
		t.Error("a paid order opens a sheet")
	}
}
