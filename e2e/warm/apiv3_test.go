package warm_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"h5pay/wechat/wechattest"
)

// trade makes the calls of APIv3 in the Worker, and returns its response.
func (w *world) trade(fields map[string]any) (int, string) {
	w.Helper()
	body, err := json.Marshal(fields)
	if err != nil {
		w.Fatal(err)
	}
	res, err := w.client.Post(w.worker.URL+"/apiv3", "application/json", bytes.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.Fatal(err)
	}
	return res.StatusCode, strings.TrimSpace(string(b))
}

// The client of APIv3 runs in workerd, with its fetch and its RSA, in each way to
// verify WeChat: orders, pay parameters, certificates and notifications.
func TestAPIv3InTheWorker(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, mode := range []wechattest.V3Mode{wechattest.V3PublicKey, wechattest.V3Certificates, wechattest.V3Both} {
		t.Run(string(mode), func(t *testing.T) {
			notified := make(chan *http.Request, 1)
			bodies := make(chan []byte, 1)
			sim := wechattest.Start(t, wechattest.Config{V3Mode: mode, Hostile: true, ShopURL: "https://shop.example", Doer: doer(func(r *http.Request) (*http.Response, error) {
				b, err := io.ReadAll(r.Body)
				if err != nil {
					return nil, err
				}
				select {
				case notified <- r:
					bodies <- b
				default:
				}
				return &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{}, Body: http.NoBody}, nil
			})})
			id := sim.V3()
			fields := map[string]any{
				"AppID": wechattest.DefaultAppID, "AppSecret": wechattest.DefaultAppSecret, "MchID": id.MchID, "URL": sim.URL, "OpenID": sim.User().OpenID,
				"PrivateKey": id.PrivateKey, "APIv3Key": id.APIv3Key, "Serial": id.Serial, "Certificate": id.Certificate,
				"PublicKeyID": id.PublicKeyID, "PublicKey": id.PublicKey, "Certificates": len(id.Certificates) > 0, "No": "tea-000001",
			}
			if status, text := w.trade(fields); status != http.StatusOK || text != `["RSA","344","NOTPAY","CLOSED"]` {
				t.Fatalf("%d %s", status, text)
			}
			// A payment is made outside, and its notification is read in the Worker.
			if _, err := sim.Notify("tea-000001", wechattest.ForgeLeakedKey); err != nil {
				t.Fatal(err)
			}
			r := <-notified
			fields["Notification"], fields["Header"] = <-bodies, r.Header
			if status, text := w.trade(fields); status != http.StatusOK || text != `["SUCCESS","tea-000001"]` {
				t.Errorf("%d %s", status, text)
			}
			fields["Notification"] = append(fields["Notification"].([]byte), ' ')
			if status, text := w.trade(fields); status != http.StatusBadGateway || !strings.Contains(text, "could not be verified") {
				t.Errorf("a changed notification: %d %s", status, text)
			}
			fields["PrivateKey"], fields["Notification"] = strings.Replace(id.PrivateKey, "MII", "M!I", 1), nil
			if status, text := w.trade(fields); status != http.StatusBadGateway || !strings.Contains(text, "PrivateKey") {
				t.Errorf("a damaged key: %d %s", status, text)
			}
		})
	}
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }
