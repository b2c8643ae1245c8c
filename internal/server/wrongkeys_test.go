package server_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// Keys that are well-formed but not the merchant's or not WeChat's show only in calls. The order
// stays open, the log names the setting to check, and the buyer learns nothing of it.
func TestKeysThatDoNotMatch(t *testing.T) {
	t.Parallel()
	another, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, der []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	private, err := x509.MarshalPKCS8PrivateKey(another)
	privatePEM := encode("PRIVATE KEY", private, err)
	public, err := x509.MarshalPKIXPublicKey(&another.PublicKey)
	publicPEM := encode("PUBLIC KEY", public, err)
	for name, tt := range map[string]struct {
		change func(*wechat.V3Config)
		code   api.Code
		log    string
	}{
		"the private key of another certificate": {func(c *wechat.V3Config) { c.PrivateKey = wechat.Secret(privatePEM) }, api.CodeWeChatDeclined,
			"Compare key and serial with those of the merchant number"},
		"the serial of another certificate": {func(c *wechat.V3Config) { c.Serial = "408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB" }, api.CodeWeChatDeclined,
			"Compare key and serial with those of the merchant number"},
		"another public key of WeChat's": {func(c *wechat.V3Config) { c.PublicKey = publicPEM }, api.CodeWeChatBusy,
			"level=ERROR msg=\"WeChat's response to a payment could not be verified: if this continues, check the keys in the settings\""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := paytest.NewShopAPIv2(t, wechattest.Config{})
			s.Reopen(func(_ *paytest.Settings, c *wechat.Config) {
				c.V3, c.APIKey, c.CertDoer = paytest.APIv3Config(s.Sim), "", nil
				tt.change(c.V3)
			})
			p := s.SignedIn(0)
			o := p.Place(paytest.Basket("tea", 1))
			p.Fails(tt.code, http.MethodPost, api.OrderPayPath(o.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}})
			s.WantStatus(o.ID, api.StatusOpen)
			if text := s.Log.String(); !strings.Contains(text, tt.log) || strings.Contains(text, privatePEM[100:140]) {
				t.Errorf("the log says %s", text)
			}
			s.Reopen(func(_ *paytest.Settings, c *wechat.Config) {
				c.V3, c.APIKey, c.CertDoer = paytest.APIv3Config(s.Sim), "", nil
			})
			p.Pay(p.RequestPayment(o.ID, api.TradeJSAPI).Pay)
			s.Deliver()
			s.WantStatus(o.ID, api.StatusPaid)
		})
	}
}
