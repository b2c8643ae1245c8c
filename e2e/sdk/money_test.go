package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-pay/gopay"
	gowechat "github.com/go-pay/gopay/wechat"

	"h5pay/internal/cst"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// sdkNonce is the nonce of all calls, because gopay requires one of its caller.
const sdkNonce = "5K8264ILTKCH16CQ2502SI8ZNMTM67VS"

// place makes an order with our client and returns its numbers.
func place(t *testing.T, sim *wechattest.Server, no string) wechat.Prepay {
	t.Helper()
	order := ourOrder()
	order.OutTradeNo, order.OpenID = no, sim.User().OpenID
	order.TimeStart, order.TimeExpire = sim.Now(), sim.Now().Add(time.Hour)
	prepay, err := ourClient(t, sim.URL, wechat.SignMD5).PlaceOrder(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	return prepay
}

// pay makes a paid order.
func pay(t *testing.T, sim *wechattest.Server, no string) {
	t.Helper()
	p, err := ourClient(t, sim.URL, wechat.SignMD5).PayParams(t.Context(), place(t, sim, no).PrepayID)
	if err != nil {
		t.Fatal(err)
	}
	sheet, declined := sim.Invoke(bridgeCall(t, sim.URL+"/", map[string]string{"appId": p.AppID, "timeStamp": p.TimeStamp, "nonceStr": p.NonceStr,
		"package": p.Package, "signType": string(p.SignType), "paySign": p.PaySign}))
	if declined != nil {
		t.Fatalf("%+v", declined)
	}
	if _, err := sim.PaySheet(sheet.ID); err != nil {
		t.Fatal(err)
	}
}

func bodyMap(pairs ...string) gopay.BodyMap {
	m := make(gopay.BodyMap)
	m.Set("nonce_str", sdkNonce)
	for i := 0; i < len(pairs); i += 2 {
		m.Set(pairs[i], pairs[i+1])
	}
	return m
}

// gopay closes an order, makes a refund with the simulator's certificate, queries it, and reads the
// notification.
func TestGopayMovesMoneyAtTheSimulator(t *testing.T) {
	t.Parallel()
	for _, signType := range []string{gowechat.SignType_MD5, gowechat.SignType_HMAC_SHA256} {
		t.Run(signType, func(t *testing.T) {
			notified := make(chan *gowechat.RefundNotifyRequest, 1)
			shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if n, err := gowechat.ParseRefundNotify(r); err == nil && n.ReqInfo != "" {
					notified <- n
				}
				_, _ = w.Write([]byte((&gowechat.NotifyResponse{ReturnCode: gopay.SUCCESS, ReturnMsg: gopay.OK}).ToXmlString()))
			}))
			defer shop.Close()
			// At noon in Beijing, for payment and refund are to be in one day's bill.
			sim := wechattest.Start(t, wechattest.Config{Epoch: time.Now().UTC().Truncate(24 * time.Hour).Add(4 * time.Hour)})
			pay(t, sim, "gopay-paid-1")
			place(t, sim, "gopay-open-1")
			dir := t.TempDir()
			if err := sim.WriteCertificates(dir); err != nil {
				t.Fatal(err)
			}
			client := gowechat.NewClient(wechattest.DefaultAppID, wechattest.DefaultMchID, wechattest.DefaultAPIKey, true)
			client.BaseURL = sim.URL + "/"

			closing := func() *gowechat.CloseOrderResponse {
				reply, err := client.CloseOrder(t.Context(), bodyMap("out_trade_no", "gopay-open-1", "sign_type", signType))
				if err != nil {
					t.Fatal(err)
				}
				return reply
			}
			if reply := closing(); reply.ResultCode != "FAIL" || reply.ErrCode == "" {
				t.Errorf("too soon: %+v", reply)
			}
			sim.Advance(5 * time.Minute)
			if reply := closing(); reply.ResultCode != "SUCCESS" {
				t.Errorf("%+v", reply)
			} else if ok, err := gowechat.VerifySign(wechattest.DefaultAPIKey, signType, reply); err != nil || !ok {
				t.Errorf("gopay does not accept the signature: %v", err)
			}

			refund := func() gopay.BodyMap {
				return bodyMap("out_trade_no", "gopay-paid-1", "out_refund_no", "gopay-r1", "total_fee", "880", "refund_fee", "300", "sign_type", signType,
					"notify_url", shop.URL+"/notify")
			}
			client.BaseURL = sim.TLSURL + "/"
			if _, _, err := client.Refund(t.Context(), refund()); err == nil {
				t.Error("refunded without a certificate")
			}
			if err := client.AddCertPemFilePath(filepath.Join(dir, wechattest.CertFile), filepath.Join(dir, wechattest.KeyFile)); err != nil {
				t.Fatal(err)
			}
			taken, fields, err := client.Refund(t.Context(), refund())
			if err != nil || taken.ResultCode != "SUCCESS" || taken.RefundFee != "300" || taken.RefundId == "" {
				t.Fatalf("refund: %+v, %v", taken, err)
			}
			if ok, err := gowechat.VerifySign(wechattest.DefaultAPIKey, signType, fields); err != nil || !ok {
				t.Errorf("gopay does not accept the signature: %v", err)
			}
			sim.Advance(time.Minute)
			client.BaseURL = sim.URL + "/"
			_, state, err := client.QueryRefund(t.Context(), bodyMap("out_refund_no", "gopay-r1", "sign_type", signType))
			if err != nil || state.GetString("refund_status_0") != "SUCCESS" || state.GetString("refund_id_0") != taken.RefundId || state.GetString("refund_count") != "1" {
				t.Errorf("refundquery: %+v, %v", state, err)
			}
			if ok, err := gowechat.VerifySign(wechattest.DefaultAPIKey, signType, state); err != nil || !ok {
				t.Errorf("gopay does not accept the signature: %v", err)
			}
			_, order, err := client.QueryOrder(t.Context(), bodyMap("out_trade_no", "gopay-paid-1", "sign_type", signType))
			if err != nil || order.GetString("trade_state") != "REFUND" {
				t.Errorf("orderquery: %+v, %v", order, err)
			}

			refunded, err := gowechat.DecryptRefundNotifyReqInfo((<-notified).ReqInfo, wechattest.DefaultAPIKey)
			if err != nil || refunded.RefundStatus != "SUCCESS" || refunded.OutRefundNo != "gopay-r1" || refunded.RefundFee != "300" || refunded.RefundId != taken.RefundId || refunded.SuccessTime == "" {
				t.Errorf("notification: %+v, %v", refunded, err)
			}
			sim.Advance(48 * time.Hour)
			day := cst.In(sim.Ledger().Trades[0].Paid).Format("20060102")
			bill, err := client.DownloadBill(t.Context(), bodyMap("bill_date", day, "bill_type", "ALL", "sign_type", signType))
			if err != nil || !strings.Contains(bill, ",`gopay-paid-1,") || !strings.Contains(bill, ",`gopay-r1,`3.00,") {
				t.Errorf("bill: %s, %v", bill, err)
			}
		})
	}
}

// The same with wechatpay-axios-plugin, which also reads the bill.
func TestNodeSDKMovesMoneyAtTheSimulator(t *testing.T) {
	t.Parallel()
	sim := wechattest.Start(t, wechattest.Config{})
	pay(t, sim, "node-paid-1")
	day := cst.In(sim.Now()).Format("20060102")
	sim.Advance(48 * time.Hour)
	place(t, sim, "node-open-1")
	sim.Advance(5 * time.Minute)
	dir := t.TempDir()
	if err := sim.WriteCertificates(dir); err != nil {
		t.Fatal(err)
	}
	input, err := json.Marshal(map[string]any{
		"baseURL": sim.TLSURL + "/", "appid": wechattest.DefaultAppID, "mchid": wechattest.DefaultMchID, "key": wechattest.DefaultAPIKey,
		"certFile": filepath.Join(dir, wechattest.CertFile), "keyFile": filepath.Join(dir, wechattest.KeyFile),
		"paid": "node-paid-1", "unpaid": "node-open-1", "billDate": day,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "../../node_modules/.bin/node", "money.mjs")
	cmd.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+filepath.Join(dir, wechattest.RootFile))
	cmd.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("money.mjs: %v\n%s", err, stderr.Bytes())
	}
	var got struct {
		Closed, Bare, RefundFee, RefundID, Other, Status, QueriedID string
		Bill                                                        struct {
			Rows    []map[string]string
			Summary map[string]string
		}
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("money.mjs printed %s: %v", out, err)
	}
	if got.Closed != "SUCCESS" || got.RefundFee != "300" || got.RefundID == "" || got.QueriedID != got.RefundID || got.Status != "PROCESSING" {
		t.Errorf("%+v", got)
	}
	if !strings.Contains(got.Bare, "400") || !strings.Contains(got.Other, "REFUND_FEE_MISMATCH") {
		t.Errorf("without a certificate: %s; another amount: %s", got.Bare, got.Other)
	}
	if b := got.Bill; len(b.Rows) != 1 || b.Rows[0]["商户订单号"] != "node-paid-1" || !strings.HasPrefix(b.Rows[0]["交易时间"], day[:4]+"-") || b.Rows[0]["订单金额"] != "8.80" || b.Summary["总交易单数"] != "1.0" || b.Summary["订单总金额"] != "8.80" {
		t.Errorf("bill: %+v", b)
	}
}
