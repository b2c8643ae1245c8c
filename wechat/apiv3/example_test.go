package apiv3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"h5pay/wechat/apiv3"
)

// shop holds what a program makes once, from its settings.
type shop struct {
	merchant *apiv3.Merchant
	receiver *apiv3.Receiver
}

func newShop() (*shop, error) {
	merchant, err := apiv3.NewMerchant(apiv3.MerchantConfig{
		MchID:      os.Getenv("MCH_ID"),
		Serial:     os.Getenv("MCH_SERIAL"),
		PrivateKey: apiv3.Secret(os.Getenv("MCH_KEY")), // apiclient_key.pem
	})
	if err != nil {
		return nil, err
	}
	key, err := apiv3.NewPublicKey(os.Getenv("PUBLIC_KEY_ID"), os.Getenv("PUBLIC_KEY")) // pub_key.pem
	if err != nil {
		return nil, err
	}
	keys, err := apiv3.NewKeySet(nil, key)
	if err != nil {
		return nil, err
	}
	receiver, err := apiv3.NewReceiver(apiv3.ReceiverConfig{Keys: keys, APIv3Key: apiv3.Secret(os.Getenv("APIV3_KEY"))})
	if err != nil {
		return nil, err
	}
	return &shop{merchant, receiver}, nil
}

// call sends a request and returns the body of a response that is WeChat's.
func (s *shop) call(ctx context.Context, method, url string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	authorization, err := s.merchant.Authorization(ctx, method, req.URL.RequestURI(), body)
	if err != nil {
		return nil, err
	}
	req.Header.Set(apiv3.HeaderAuthorization, authorization)
	req.Header.Set(apiv3.HeaderSerial, s.receiver.PreferredSerial())
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "example")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	return answer, s.receiver.Response(ctx, res.StatusCode, res.Header.Get, answer)
}

// notify handles a callback.
func (s *shop) notify(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err == nil {
		var n apiv3.Notification
		if n, err = s.receiver.Notification(r.Context(), r.Header.Get, body); err == nil {
			fmt.Println(n.EventType, len(n.Resource.Bytes()))
			w.WriteHeader(http.StatusNoContent)
			return
		}
	}
	var e *apiv3.Error
	if !errors.As(err, &e) || e.Kind != apiv3.Probe {
		fmt.Println("callback rejected:", err)
	}
	w.WriteHeader(http.StatusUnauthorized) // WeChat repeats it
}

// A program calls WeChat and handles its callbacks.
func Example() {
	s, err := newShop()
	if err != nil {
		fmt.Println(err)
		return
	}
	http.HandleFunc("/notify", s.notify)
	answer, err := s.call(context.Background(), "POST", "https://api.mch.weixin.qq.com/v3/pay/transactions/native", []byte("{}"))
	var f *apiv3.Failure
	switch {
	case err == nil:
		fmt.Println(len(answer), "bytes, verified")
	case errors.As(err, &f) && f.Code == "ORDER_PAID":
		fmt.Println("paid before")
	default:
		fmt.Println(err) // without a Failure the outcome is unknown
	}
}
