package sdk

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/go-pay/gopay"
	"github.com/go-pay/gopay/pkg/xhttp"
	gopayv3 "github.com/go-pay/gopay/wechat/v3"

	"h5pay/wechat/wechattest"
)

func TestGopayV3(t *testing.T) {
	t.Parallel()
	v3Modes(t, func(t *testing.T, w *v3World) {
		client, err := gopayv3.NewClientV3(w.keys.MchID, w.keys.Serial, w.keys.APIv3Key, w.keys.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		client.SetHttpClient(xhttp.NewClient().SetTransport(towards{w.URL}))
		if w.keys.Mode != wechattest.V3PublicKey {
			if err := client.AutoVerifySign(false); err != nil {
				t.Fatal(err)
			}
		}
		if w.keys.Mode != wechattest.V3Certificates {
			if err := client.AutoVerifySignByPublicKey([]byte(w.keys.PublicKey), w.keys.PublicKeyID); err != nil {
				t.Fatal(err)
			}
		}
		w.journey(&gopaySDK{t.Context(), client, w})
	})
}

// gopaySDK is github.com/go-pay/gopay.
type gopaySDK struct {
	ctx    context.Context
	client *gopayv3.ClientV3
	w      *v3World
}

// failed turns gopay's code and body into an error.
func failed(code int, body string, err error) error {
	if err == nil && code != gopayv3.Success {
		err = fmt.Errorf("code %d: %s", code, body)
	}
	return err
}

func (g *gopaySDK) order(no string) gopay.BodyMap {
	return gopay.BodyMap{}.Set("appid", wechattest.DefaultAppID).Set("mchid", g.w.keys.MchID).Set("description", "山岚小铺 - 茶 & <点心>").
		Set("out_trade_no", no).Set("notify_url", g.w.notifyURL).
		SetBodyMap("amount", func(b gopay.BodyMap) { b.Set("total", 880).Set("currency", "CNY") })
}

func (g *gopaySDK) native(no string) (string, error) {
	rsp, err := g.client.V3TransactionNative(g.ctx, g.order(no))
	if err != nil {
		return "", err
	}
	return rsp.Response.CodeUrl, failed(rsp.Code, rsp.Error, nil)
}

func (g *gopaySDK) jsapi(no, openID string) (map[string]string, error) {
	rsp, err := g.client.V3TransactionJsapi(g.ctx, g.order(no).SetBodyMap("payer", func(b gopay.BodyMap) { b.Set("openid", openID) }))
	if err != nil {
		return nil, err
	}
	if err := failed(rsp.Code, rsp.Error, nil); err != nil {
		return nil, err
	}
	p, err := g.client.PaySignOfJSAPI(wechattest.DefaultAppID, rsp.Response.PrepayId)
	if err != nil {
		return nil, err
	}
	return map[string]string{
		"appId": p.AppId, "timeStamp": p.TimeStamp, "nonceStr": p.NonceStr, "package": p.Package, "signType": p.SignType, "paySign": p.PaySign,
	}, nil
}

func (g *gopaySDK) query(no string) (string, error) {
	rsp, err := g.client.V3TransactionQueryOrder(g.ctx, gopayv3.OutTradeNo, no)
	if err != nil {
		return "", err
	}
	return rsp.Response.TradeState, failed(rsp.Code, rsp.Error, nil)
}

func (g *gopaySDK) closeOrder(no string) error {
	rsp, err := g.client.V3TransactionCloseOrder(g.ctx, no)
	if err != nil {
		return err
	}
	return failed(rsp.Code, rsp.Error, nil)
}

func (g *gopaySDK) refund(no, refundNo string, fee int64) (string, error) {
	rsp, err := g.client.V3Refund(g.ctx, gopay.BodyMap{}.Set("out_trade_no", no).Set("out_refund_no", refundNo).Set("reason", "缺货").Set("notify_url", g.w.notifyURL).
		SetBodyMap("amount", func(b gopay.BodyMap) { b.Set("refund", fee).Set("total", 880).Set("currency", "CNY") }))
	if err != nil {
		return "", err
	}
	return rsp.Response.Status, failed(rsp.Code, rsp.Error, nil)
}

func (g *gopaySDK) refundStatus(refundNo string) (string, error) {
	rsp, err := g.client.V3RefundQuery(g.ctx, refundNo, nil)
	if err != nil {
		return "", err
	}
	return rsp.Response.Status, failed(rsp.Code, rsp.Error, nil)
}

func (g *gopaySDK) bill(date string) (string, error) {
	rsp, err := g.client.V3BillTradeBill(g.ctx, gopay.BodyMap{}.Set("bill_date", date))
	if err != nil {
		return "", err
	}
	if err := failed(rsp.Code, rsp.Error, nil); err != nil {
		return "", err
	}
	b, err := g.client.V3BillDownLoadBill(g.ctx, rsp.Response.DownloadUrl)
	return string(b), err
}

func (g *gopaySDK) notification(r *http.Request) (string, error) {
	n, err := gopayv3.V3ParseNotify(r)
	if err != nil {
		return "", err
	}
	if err := n.VerifySignByPKMap(g.client.WxPublicKeyMap()); err != nil {
		return "", err
	}
	if n.EventType == "TRANSACTION.SUCCESS" {
		p, err := n.DecryptPayCipherText(g.w.keys.APIv3Key)
		if err != nil {
			return "", err
		}
		return p.OutTradeNo, nil
	}
	p, err := n.DecryptRefundCipherText(g.w.keys.APIv3Key)
	if err != nil {
		return "", err
	}
	return p.OutRefundNo, nil
}
