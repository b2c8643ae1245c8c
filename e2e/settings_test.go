package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"h5pay/internal/api"
	"h5pay/internal/stack"
)

// A signer without a key responds without details, and names the setting in the log and on the
// health page.
func TestMissingSetting(t *testing.T) {
	shop, log := startShop(t, stack.ShopConfig{State: world.state, Vars: map[string]string{"WECHAT_API_KEY": "too-short"}})
	for _, path := range []string{api.PathConfig, api.PathProducts, api.PathNotifyPay} {
		res, err := http.Get(shop.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		var e api.Error
		err = json.NewDecoder(res.Body).Decode(&e)
		res.Body.Close()
		if err != nil || e.Code != api.CodeMisconfigured || res.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("GET %s: %d %+v %v", path, res.StatusCode, e, err)
		}
		if strings.Contains(e.Message, "WECHAT") {
			t.Errorf("the world learns %q", e.Message)
		}
	}
	wrong, text := health(t, shop.URL)
	if len(wrong) != 1 || wrong[0] != "setting WECHAT_API_KEY must be 32 letters or digits" || strings.Contains(text, "too-short") {
		t.Errorf("the health page says %s", text)
	}
	if text := log.String(); !strings.Contains(text, "WECHAT_API_KEY") || strings.Contains(text, "too-short") {
		t.Errorf("the log must name the setting and not hold it:\n%s", text)
	}
}
