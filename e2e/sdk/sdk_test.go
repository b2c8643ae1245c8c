// Package sdk runs other people's WeChat SDKs. They are clients of the simulator, and they verify
// the signatures of this project's client.
package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-pay/gopay"
	gowechat "github.com/go-pay/gopay/wechat"

	"h5pay/internal/cleanup"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// The SDKs test the simulator as its clients, and test this project's client by their checks. So
// three implementations of WeChat's documents have to agree.

const (
	sdkNotifyURL = "http://localhost/notify" // never called: these orders stay unpaid
	sdkClientIP  = "203.0.113.7"
)

// TestMain ends every process that a test started.
func TestMain(m *testing.M) { cleanup.Main(m.Run) }

func TestGopayOrdersAtTheSimulator(t *testing.T) {
	t.Parallel()
	for _, signType := range []string{gowechat.SignType_MD5, gowechat.SignType_HMAC_SHA256} {
		t.Run(signType, func(t *testing.T) {
			sim := wechattest.Start(t, wechattest.Config{})
			payer := sim.User()
			client := gowechat.NewClient(wechattest.DefaultAppID, wechattest.DefaultMchID, wechattest.DefaultAPIKey, true)
			client.BaseURL = sim.URL + "/"

			order := make(gopay.BodyMap)
			order.Set("nonce_str", "5K8264ILTKCH16CQ2502SI8ZNMTM67VS").
				Set("body", "山岚小铺 - 茶 & <点心>").
				Set("out_trade_no", "gopay-"+strconv.FormatInt(time.Now().UnixMilli(), 10)).
				Set("total_fee", 880).
				Set("spbill_create_ip", sdkClientIP).
				Set("notify_url", sdkNotifyURL).
				Set("trade_type", gowechat.TradeType_JsApi).
				Set("sign_type", signType).
				Set("openid", payer.OpenID)
			placed, err := client.UnifiedOrder(t.Context(), order)
			if err != nil {
				t.Fatal(err)
			}
			if placed.ReturnCode != "SUCCESS" || placed.ResultCode != "SUCCESS" || placed.PrepayId == "" {
				t.Fatalf("unifiedorder: %+v", placed)
			}
			// gopay checks the signature over its own struct, so a field that it does not know would fail
			// the check.
			if ok, err := gowechat.VerifySign(wechattest.DefaultAPIKey, signType, placed); err != nil || !ok {
				t.Errorf("gopay does not accept the signature of the prepay_id: %v", err)
			}

			timeStamp := strconv.FormatInt(sim.Now().Unix(), 10)
			pkg := "prepay_id=" + placed.PrepayId
			paySign := gowechat.GetJsapiPaySign(wechattest.DefaultAppID, "gopaynonce", pkg, signType, timeStamp, wechattest.DefaultAPIKey)
			sheet, declined := sim.Invoke(bridgeCall(t, sim.URL+"/", map[string]string{
				"appId": wechattest.DefaultAppID, "timeStamp": timeStamp, "nonceStr": "gopaynonce",
				"package": pkg, "signType": signType, "paySign": paySign,
			}))
			if declined != nil {
				t.Fatalf("the phone rejected gopay's parameters: %+v", declined)
			}
			if _, err := sim.PaySheet(sheet.ID); err != nil {
				t.Fatal(err)
			}

			query := make(gopay.BodyMap)
			query.Set("nonce_str", "5K8264ILTKCH16CQ2502SI8ZNMTM67VT").
				Set("out_trade_no", order.GetString("out_trade_no")).
				Set("sign_type", signType)
			_, reply, err := client.QueryOrder(t.Context(), query)
			if err != nil {
				t.Fatal(err)
			}
			if state := reply.GetString("trade_state"); state != "SUCCESS" {
				t.Errorf("trade_state %q", state)
			}
			if ok, err := gowechat.VerifySign(wechattest.DefaultAPIKey, signType, reply); err != nil || !ok {
				t.Errorf("gopay does not accept the simulator's signature: %v", err)
			}
		})
	}
}

func TestGopayIsRejectedWithAnotherKey(t *testing.T) {
	t.Parallel()
	sim := wechattest.Start(t, wechattest.Config{})
	client := gowechat.NewClient(wechattest.DefaultAppID, wechattest.DefaultMchID, strings.Repeat("0", 32), true)
	client.BaseURL = sim.URL + "/"
	order := make(gopay.BodyMap)
	order.Set("nonce_str", "5K8264ILTKCH16CQ2502SI8ZNMTM67VS").Set("body", "茶").Set("out_trade_no", "gopay-badkey").
		Set("total_fee", 1).Set("spbill_create_ip", sdkClientIP).Set("notify_url", sdkNotifyURL).
		Set("trade_type", gowechat.TradeType_JsApi).Set("openid", sim.User().OpenID)
	placed, err := client.UnifiedOrder(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	if placed.ReturnCode != "FAIL" || !strings.Contains(placed.ReturnMsg, "签名错误") {
		t.Errorf("got %s %s, want FAIL 签名错误", placed.ReturnCode, placed.ReturnMsg)
	}
}

// gopay verifies the requests and the signatures of this project's client.
func TestGopayVerifiesOurClient(t *testing.T) {
	t.Parallel()
	for _, signType := range []wechat.SignType{wechat.SignMD5, wechat.SignHMAC} {
		t.Run(string(signType), func(t *testing.T) {
			var sent []byte
			host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				sent, _ = io.ReadAll(r.Body)
				w.WriteHeader(http.StatusBadGateway)
			}))
			defer host.Close()
			client := ourClient(t, host.URL, signType)
			if _, err := client.PlaceOrder(t.Context(), ourOrder()); err == nil {
				t.Fatal("a bad gateway is no success")
			}
			fields := make(gopay.BodyMap)
			if err := xml.NewDecoder(bytes.NewReader(sent)).Decode(&fields); err != nil {
				t.Fatalf("gopay cannot read %s: %v", sent, err)
			}
			if ok, err := gowechat.VerifySign(wechattest.DefaultAPIKey, string(signType), fields); err != nil || !ok {
				t.Errorf("gopay does not accept our unifiedorder: %v\n%s", err, sent)
			}
			p, err := client.PayParams(t.Context(), "wx201410272009395522657a690389285100")
			if err != nil {
				t.Fatal(err)
			}
			if want := gowechat.GetJsapiPaySign(p.AppID, p.NonceStr, p.Package, string(p.SignType), p.TimeStamp, wechattest.DefaultAPIKey); p.PaySign != want {
				t.Errorf("paySign %s, gopay makes %s", p.PaySign, want)
			}
		})
	}
}

// The same with wechatpay-axios-plugin, a Node SDK.
func TestNodeSDKOrdersAtTheSimulator(t *testing.T) {
	t.Parallel()
	sim := wechattest.Start(t, wechattest.Config{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ours, err := ourClient(t, sim.URL, wechat.SignMD5).PayParams(t.Context(), "wx201410272009395522657a690389285100")
	if err != nil {
		t.Fatal(err)
	}
	input, err := json.Marshal(map[string]any{
		"baseURL": sim.URL + "/", "appid": wechattest.DefaultAppID, "mchid": wechattest.DefaultMchID,
		"key": wechattest.DefaultAPIKey, "openid": sim.User().OpenID, "notifyURL": sdkNotifyURL, "clientIP": sdkClientIP,
		"ours": map[string]string{"appId": ours.AppID, "timeStamp": ours.TimeStamp, "nonceStr": ours.NonceStr,
			"package": ours.Package, "signType": string(ours.SignType), "paySign": ours.PaySign},
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "../../node_modules/.bin/node", "sdk.mjs")
	cmd.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("sdk.mjs: %v\n%s", err, stderr.Bytes())
	}
	var got struct {
		Params       map[string]string `json:"params"`     // signed by the SDK for the bridge
		TradeState   string            `json:"tradeState"` // of the order, unpaid
		RejectedWith string            `json:"rejectedWith"`
		OurSignValid bool              `json:"ourSignValid"`
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("sdk.mjs printed %s: %v", out, err)
	}
	if got.TradeState != "NOTPAY" {
		t.Errorf("trade_state %q, want NOTPAY", got.TradeState)
	}
	if !strings.Contains(got.RejectedWith, "签名错误") {
		t.Errorf("with another key: %q, want 签名错误", got.RejectedWith)
	}
	if !got.OurSignValid {
		t.Error("the SDK makes another paySign than we do")
	}
	if _, declined := sim.Invoke(bridgeCall(t, sim.URL+"/", got.Params)); declined != nil {
		t.Errorf("the phone rejected the SDK's parameters: %+v", declined)
	}
}

func ourClient(t *testing.T, base string, signType wechat.SignType) wechat.Merchant {
	t.Helper()
	client, err := wechat.New(wechat.Config{
		AppID:     wechattest.DefaultAppID,
		AppSecret: wechattest.DefaultAppSecret,
		MchID:     wechattest.DefaultMchID,
		APIKey:    wechattest.DefaultAPIKey,
		SignType:  signType,
		OpenURL:   base, APIURL: base, MchURL: base,
		Doer: http.DefaultClient,
	})
	if err != nil {
		t.Fatal(err)
	}
	pay, err := client.For(wechat.V2)
	if err != nil {
		t.Fatal(err)
	}
	return pay
}

func ourOrder() wechat.Order {
	now := time.Now()
	return wechat.Order{
		OutTradeNo: "ours-1", Body: "山岚小铺 - 茶 & <点心> ]]>", Attach: "a=1&b=2", TotalFee: 880, TradeType: "JSAPI",
		OpenID: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", ClientIP: sdkClientIP, NotifyURL: "https://shop.example.com/api/notify/pay",
		TimeStart: now, TimeExpire: now.Add(time.Hour),
	}
}

func bridgeCall(t *testing.T, page string, params map[string]string) wechattest.InvokeCall {
	t.Helper()
	args := map[string]json.RawMessage{}
	for name, value := range params {
		raw, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		args[name] = raw
	}
	return wechattest.InvokeCall{API: "getBrandWCPayRequest", Args: args, URL: page, Landing: page}
}
