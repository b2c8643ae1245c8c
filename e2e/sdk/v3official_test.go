package sdk

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/validators"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/verifiers"
	"github.com/wechatpay-apiv3/wechatpay-go/core/downloader"
	"github.com/wechatpay-apiv3/wechatpay-go/core/notify"
	"github.com/wechatpay-apiv3/wechatpay-go/core/option"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments/jsapi"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments/native"
	"github.com/wechatpay-apiv3/wechatpay-go/services/refunddomestic"
	"github.com/wechatpay-apiv3/wechatpay-go/utils"

	"h5pay/wechat/wechattest"
)

func TestOfficialGoSDK(t *testing.T) {
	t.Parallel()
	v3Modes(t, func(t *testing.T, w *v3World) { w.journey(w.official(t)) })
}

// official is wechatpay-go with the keys of the world.
func (w *v3World) official(t *testing.T) *officialSDK {
	t.Helper()
	ctx := t.Context()
	key, err := utils.LoadPrivateKey(w.keys.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	transport := option.WithHTTPClient(&http.Client{Transport: towards{w.URL}})
	credential := option.WithMerchantCredential(w.keys.MchID, w.keys.Serial, key)
	var visitor core.CertificateVisitor
	if w.keys.Mode != wechattest.V3PublicKey {
		// Its own download of the certificates, through a client of this test.
		unverified, err := core.NewClient(ctx, credential, option.WithoutValidator(), transport)
		if err != nil {
			t.Fatal(err)
		}
		manager := downloader.NewCertificateDownloaderMgr(context.WithoutCancel(ctx))
		t.Cleanup(manager.Stop)
		if err := manager.RegisterDownloaderWithClient(ctx, unverified, w.keys.MchID, w.keys.APIv3Key); err != nil {
			t.Fatal(err)
		}
		visitor = manager.GetCertificateVisitor(w.keys.MchID)
	}
	var public *rsa.PublicKey
	if w.keys.Mode != wechattest.V3Certificates {
		if public, err = utils.LoadPublicKey(w.keys.PublicKey); err != nil {
			t.Fatal(err)
		}
	}
	var verifier auth.Verifier
	switch w.keys.Mode {
	case wechattest.V3PublicKey:
		verifier = verifiers.NewSHA256WithRSAPubkeyVerifier(w.keys.PublicKeyID, *public)
	case wechattest.V3Certificates:
		verifier = verifiers.NewSHA256WithRSAVerifier(visitor)
	default:
		verifier = verifiers.NewSHA256WithRSACombinedVerifier(visitor, w.keys.PublicKeyID, *public)
	}
	client, err := core.NewClient(ctx, credential, option.WithVerifier(verifier), transport)
	if err != nil {
		t.Fatal(err)
	}
	handler, err := notify.NewRSANotifyHandler(w.keys.APIv3Key, verifier)
	if err != nil {
		t.Fatal(err)
	}
	return &officialSDK{ctx, client, handler, w}
}

// officialSDK is github.com/wechatpay-apiv3/wechatpay-go, Tencent's own.
type officialSDK struct {
	ctx     context.Context
	client  *core.Client
	handler *notify.Handler
	w       *v3World
}

func (o *officialSDK) native(no string) (string, error) {
	service := native.NativeApiService{Client: o.client}
	rsp, _, err := service.Prepay(o.ctx, native.PrepayRequest{
		Appid: core.String(wechattest.DefaultAppID), Mchid: core.String(o.w.keys.MchID), Description: core.String("山岚小铺 - 茶 & <点心>"),
		OutTradeNo: core.String(no), NotifyUrl: core.String(o.w.notifyURL), Amount: &native.Amount{Total: core.Int64(880), Currency: core.String("CNY")},
	})
	if err != nil {
		return "", err
	}
	return *rsp.CodeUrl, nil
}

func (o *officialSDK) jsapi(no, openID string) (map[string]string, error) {
	service := jsapi.JsapiApiService{Client: o.client}
	p, _, err := service.PrepayWithRequestPayment(o.ctx, jsapi.PrepayRequest{
		Appid: core.String(wechattest.DefaultAppID), Mchid: core.String(o.w.keys.MchID), Description: core.String("山岚小铺 - 茶 & <点心>"),
		OutTradeNo: core.String(no), NotifyUrl: core.String(o.w.notifyURL), Amount: &jsapi.Amount{Total: core.Int64(880)},
		Payer: &jsapi.Payer{Openid: core.String(openID)},
	})
	if err != nil {
		return nil, err
	}
	return map[string]string{
		"appId": *p.Appid, "timeStamp": *p.TimeStamp, "nonceStr": *p.NonceStr, "package": *p.Package, "signType": *p.SignType, "paySign": *p.PaySign,
	}, nil
}

func (o *officialSDK) query(no string) (string, error) {
	service := jsapi.JsapiApiService{Client: o.client}
	rsp, _, err := service.QueryOrderByOutTradeNo(o.ctx, jsapi.QueryOrderByOutTradeNoRequest{OutTradeNo: core.String(no), Mchid: core.String(o.w.keys.MchID)})
	if err != nil {
		return "", err
	}
	return *rsp.TradeState, nil
}

func (o *officialSDK) closeOrder(no string) error {
	service := jsapi.JsapiApiService{Client: o.client}
	_, err := service.CloseOrder(o.ctx, jsapi.CloseOrderRequest{OutTradeNo: core.String(no), Mchid: core.String(o.w.keys.MchID)})
	return err
}

func (o *officialSDK) refund(no, refundNo string, fee int64) (string, error) {
	service := refunddomestic.RefundsApiService{Client: o.client}
	rsp, _, err := service.Create(o.ctx, refunddomestic.CreateRequest{
		OutTradeNo: core.String(no), OutRefundNo: core.String(refundNo), Reason: core.String("缺货"), NotifyUrl: core.String(o.w.notifyURL),
		Amount: &refunddomestic.AmountReq{Refund: core.Int64(fee), Total: core.Int64(880), Currency: core.String("CNY")},
	})
	if err != nil {
		return "", err
	}
	return string(*rsp.Status), nil
}

func (o *officialSDK) refundStatus(refundNo string) (string, error) {
	service := refunddomestic.RefundsApiService{Client: o.client}
	rsp, _, err := service.QueryByOutRefundNo(o.ctx, refunddomestic.QueryByOutRefundNoRequest{OutRefundNo: core.String(refundNo)})
	if err != nil {
		return "", err
	}
	return string(*rsp.Status), nil
}

// bill uses the SDK's plain client: it has no service for bills. The file is not
// signed, so that it is fetched without the validator.
func (o *officialSDK) bill(date string) (string, error) {
	rsp, err := o.client.Get(o.ctx, "https://api.mch.weixin.qq.com/v3/bill/tradebill?bill_date="+date)
	if err != nil {
		return "", err
	}
	text, err := readAll(rsp.Response)
	if err != nil {
		return "", err
	}
	var link struct {
		DownloadURL string `json:"download_url"`
	}
	if err := json.Unmarshal([]byte(text), &link); err != nil {
		return "", err
	}
	file, err := core.NewClientWithValidator(o.client, &validators.NullValidator{}).Get(o.ctx, link.DownloadURL)
	if err != nil {
		return "", err
	}
	return readAll(file.Response)
}

func (o *officialSDK) notification(r *http.Request) (string, error) {
	var content struct {
		OutTradeNo  string `json:"out_trade_no"`
		OutRefundNo string `json:"out_refund_no"`
	}
	if _, err := o.handler.ParseNotifyRequest(r.Context(), r, &content); err != nil {
		return "", err
	}
	if content.OutRefundNo != "" {
		return content.OutRefundNo, nil
	}
	return content.OutTradeNo, nil
}
