package main

import (
	"maps"
	"strings"

	"h5pay/internal/api"
	"h5pay/internal/demo"
	"h5pay/internal/envfile"
	"h5pay/internal/paytest/campaign"
	"h5pay/wechat/wechattest"
)

// settings returns the Worker's settings, including secrets that must never leave it.
func (w *deployment) settings(dir string) (map[string]string, error) {
	vars, err := envfile.New(dir + "/.dev.vars.example")
	if err != nil {
		return nil, err
	}
	for name, value := range vars {
		if strings.Contains(name, "SECRET") || strings.Contains(name, "KEY") || strings.Contains(name, "TOKEN") {
			w.Secret(name, value)
		}
	}
	for _, u := range w.WeChat.Users() {
		w.Secret("an openid", u.OpenID)
	}
	return vars, nil
}

// useV3 adds the settings of APIv3 to those of APIv2. The key of APIv2 stays: the operator refunds
// by hand, and only APIv2 lists such refunds.
func (w *deployment) useV3(vars map[string]string) {
	v2 := vars["WECHAT_API_KEY"]
	id := w.WeChat.V3()
	v3 := demo.APIv3Vars(id)
	for _, name := range []string{"WECHAT_MCH_KEY", "WECHAT_APIV3_KEY"} {
		w.Secret(name, v3[name])
	}
	w.Keys.UseAPIv3Key(id.APIv3Key)
	maps.Copy(vars, v3)
	vars["WECHAT_API_KEY"], vars["WECHAT_API"] = v2, "v3"
}

// refundNotifyURL returns where WeChat reports refunds that were made by hand, in the form of APIv2. A
// merchant with APIv3 alone leaves it empty: the bills have these refunds.
func refundNotifyURL(o campaign.Options, shop string) string {
	if o.API == "v3" {
		return ""
	}
	return shop + api.PathNotifyRefund
}

// v3Mode returns how WeChat signs messages of APIv3 at the beginning.
func v3Mode(o campaign.Options) wechattest.V3Mode {
	if o.API == "move" {
		return wechattest.V3Certificates
	}
	return wechattest.V3PublicKey
}
