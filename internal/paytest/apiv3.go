package paytest

import (
	"crypto/rand"
	"crypto/rsa"
	"sync"
	"testing"

	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// rsaKeys are shared by all simulators, since making one costs 100 ms.
var rsaKeys = sync.OnceValue(func() []*rsa.PrivateKey {
	keys := make([]*rsa.PrivateKey, 5)
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = key
	}
	return keys
})

// APIv3Config returns the merchant's configuration for the keys that the simulator has now.
func APIv3Config(sim *wechattest.WeChat) *wechat.V3Config {
	id := sim.V3()
	return &wechat.V3Config{
		Serial: id.Serial, PrivateKey: wechat.Secret(id.PrivateKey), APIv3Key: wechat.Secret(id.APIv3Key),
		PublicKeyID: id.PublicKeyID, PublicKey: id.PublicKey, Certificates: len(id.Certificates) > 0,
	}
}

// NewShopAPIv2 opens a shop with the key of APIv2, at a WeChat that has both versions.
func NewShopAPIv2(t testing.TB, at wechattest.Config) *Shop {
	at.RSAKeys = rsaKeys()
	return NewShopAt(t, at, nil)
}

// NewShopAPIv3 opens a shop with the keys of APIv3 alone.
func NewShopAPIv3(t testing.TB, at wechattest.Config) *Shop {
	s := NewShopAPIv2(t, at)
	s.Reopen(func(_ *Settings, c *wechat.Config) { c.V3, c.APIKey, c.CertDoer = APIv3Config(s.Sim), "", nil })
	return s
}

// WantNoAPIv2 fails the test if the shop called APIv2.
func (s *Shop) WantNoAPIv2() {
	s.T.Helper()
	for _, kind := range []string{"unifiedorder", "orderquery", "closeorder", "refund", "refundquery", "downloadbill"} {
		if n := s.Calls(kind); n > 0 {
			s.T.Errorf("%d calls of %s in APIv2", n, kind)
		}
	}
}
