package main

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"strings"

	"h5pay/internal/api"
	"h5pay/internal/demo"
	"h5pay/wechat/wechattest"
)

// useBothVersions adds the settings of APIv3 to those of APIv2. The key of APIv2 stays: the
// operator refunds by hand, and only APIv2 lists such refunds.
func (w *world) useBothVersions(vars map[string]string) {
	v2 := vars["WECHAT_API_KEY"]
	v3 := demo.APIv3Vars(w.wechat.V3())
	for _, name := range []string{"WECHAT_MCH_KEY", "WECHAT_APIV3_KEY"} {
		w.secret(name, v3[name])
	}
	maps.Copy(vars, v3)
	vars["WECHAT_API_KEY"] = v2
}

// setAPI sets the version of new orders.
func (w *world) setAPI(vars map[string]string, v3 bool) {
	vars["WECHAT_API"] = "v2"
	if v3 {
		vars["WECHAT_API"] = "v3"
	}
	w.onV3.Store(v3)
}

// moveToV3 lets new orders use APIv3 from now on. workerd restarts with the new settings while
// orders and refunds are open.
func (k *worker) moveToV3(ctx context.Context) error {
	if _, err := k.running(ctx); err != nil { // one that starts now would keep the old settings
		return err
	}
	k.mu.Lock()
	vars := maps.Clone(k.config.Vars)
	k.setAPI(vars, true)
	k.config.Vars = vars
	k.mu.Unlock()
	k.kill()
	return nil
}

// faultOfV3 returns the fault of APIv3 that corresponds to one of APIv2.
func faultOfV3(f wechattest.Fault, trade api.TradeType) wechattest.Fault {
	switch f.Path {
	case "":
		return f
	case "/pay/unifiedorder":
		f.Path = map[api.TradeType]string{api.TradeJSAPI: wechattest.PathV3JSAPI, api.TradeNative: wechattest.PathV3Native, api.TradeMWEB: wechattest.PathV3H5}[trade]
	case "/pay/orderquery":
		f.Path = wechattest.PathV3QueryOutTradeNo
	case "/pay/closeorder":
		f.Path = wechattest.PathV3Close
	case "/secapi/pay/refund":
		f.Path = wechattest.PathV3Refund
	case "/pay/refundquery":
		f.Path = wechattest.PathV3QueryRefund
	}
	if f.Kind == wechattest.FaultRetmsg || f.Kind == wechattest.FaultWordsAlone {
		f.Kind = wechattest.FaultV3Unsigned
	}
	return f
}

// pathOfV2 returns the path of the call of APIv2 that corresponds to a call: the plan names calls
// by it.
func pathOfV2(method, path string) string {
	switch {
	case strings.HasSuffix(path, "/close"):
		return "/pay/closeorder"
	case strings.HasPrefix(path, "/v3/pay/transactions/") && method == http.MethodPost:
		return "/pay/unifiedorder"
	case strings.HasPrefix(path, "/v3/pay/transactions/"):
		return "/pay/orderquery"
	case strings.HasPrefix(path, "/v3/refund/") && method == http.MethodPost:
		return "/secapi/pay/refund"
	case strings.HasPrefix(path, "/v3/refund/"):
		return "/pay/refundquery"
	}
	return path
}

// acknowledgedV3 is acknowledged for a notification of APIv3.
func (t *notifier) acknowledgedV3(body []byte) {
	var n struct {
		Resource struct {
			Ciphertext, Nonce string
			AssociatedData    string `json:"associated_data"`
		}
	}
	var trade struct {
		Number      string `json:"out_trade_no"`
		Transaction string `json:"transaction_id"`
	}
	err := json.Unmarshal(body, &n)
	var sealed, plain []byte
	if err == nil {
		sealed, err = base64.StdEncoding.DecodeString(n.Resource.Ciphertext)
	}
	block, keyErr := aes.NewCipher([]byte(t.wechat.V3().APIv3Key))
	if err == nil {
		err = keyErr
	}
	if err == nil {
		var gcm cipher.AEAD
		if gcm, err = cipher.NewGCM(block); err == nil && len(n.Resource.Nonce) == gcm.NonceSize() {
			plain, err = gcm.Open(nil, []byte(n.Resource.Nonce), sealed, []byte(n.Resource.AssociatedData))
		}
	}
	if err == nil {
		err = json.Unmarshal(plain, &trade)
	}
	if err != nil {
		t.note(wrong, "", "a notification was acknowledged that cannot be read: %v", err)
		return
	}
	t.storedAsPaid(trade.Number, trade.Transaction)
}
