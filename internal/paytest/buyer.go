package paytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"testing"

	"h5pay/internal/api"
	"h5pay/wechat/wechattest"
)

// Phone is the part of a simulated WeChat that a buyer uses.
type Phone interface {
	Invoke(wechattest.InvokeCall) (wechattest.Sheet, *wechattest.BridgeError)
	PaySheet(id string) (wechattest.Sheet, error)
}

// Buyer makes calls as the shop's page does, and keeps the cookies of one browser.
type Buyer struct {
	calls
	base   string // of the URLs that are called
	origin string // of the page
	phone  Phone
	client *http.Client
	Token  string // of the operator; empty for a buyer
}

// NewBuyer returns a buyer without a session. base is the shop's address, and origin is that of the
// page, which may be another one because of a proxy.
func NewBuyer(t testing.TB, base, origin string, phone Phone) *Buyer {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &Buyer{base: base, origin: origin, phone: phone, client: &http.Client{
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	b.calls = calls{t, b.Must}
	return b
}

// Must makes a call that must succeed, and decodes the response into result. A nil body sends none.
func (b *Buyer) Must(method, path string, body, result any) {
	b.t.Helper()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			b.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.base+path, bytes.NewReader(text))
	if err != nil {
		b.t.Fatal(err)
	}
	switch {
	case b.Token != "":
		req.Header.Set("Authorization", "Bearer "+b.Token)
	case method != http.MethodGet:
		req.Header.Set("Origin", b.origin)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	setIdempotencyKey(req, body)
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err = io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK && res.StatusCode != http.StatusCreated {
		b.t.Fatalf("%s %s: %d %s, %v", method, path, res.StatusCode, text, err)
	}
	if err := json.Unmarshal(text, result); err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
}

// SignIn signs the phone's user in.
func (b *Buyer) SignIn() {
	b.t.Helper()
	var to api.AuthorizeResponse
	b.Must(http.MethodPost, api.PathAuthorize, api.AuthorizeRequest{ReturnTo: "/"}, &to)
	res, err := b.client.Get(to.URL)
	if err != nil {
		b.t.Fatal(err)
	}
	res.Body.Close()
	back, err := res.Location()
	if err != nil {
		b.t.Fatal(err)
	}
	b.Must(http.MethodPost, api.PathToken, api.TokenRequest{Code: back.Query().Get("code"), State: back.Query().Get("state")}, &api.TokenResponse{})
}

// Pay opens the payment sheet as WeixinJSBridge does, and pays.
func (b *Buyer) Pay(params *api.PayParams) {
	b.t.Helper()
	sheet, err := OpenSheet(b.phone, b.origin, params)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.phone.PaySheet(sheet.ID); err != nil {
		b.t.Fatal(err)
	}
}

// OpenSheet calls the bridge as the page at an origin does.
func OpenSheet(phone Phone, origin string, params *api.PayParams) (wechattest.Sheet, error) {
	text, err := json.Marshal(params)
	if err != nil {
		return wechattest.Sheet{}, err
	}
	call := wechattest.InvokeCall{API: "getBrandWCPayRequest", URL: origin + "/pay", Landing: origin + "/"}
	if err := json.Unmarshal(text, &call.Args); err != nil {
		return wechattest.Sheet{}, err
	}
	sheet, declined := phone.Invoke(call)
	if declined != nil {
		return wechattest.Sheet{}, fmt.Errorf("%s: %s", declined.ErrMsg, declined.ErrDesc)
	}
	return sheet, nil
}
