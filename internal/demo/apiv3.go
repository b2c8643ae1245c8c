package demo

import "h5pay/wechat/wechattest"

// APIv3Vars returns the settings of a merchant who has APIv3 alone, with the keys that a simulator
// drew. The APIv2 key is removed.
func APIv3Vars(id wechattest.V3Identity) map[string]string {
	vars := map[string]string{
		"WECHAT_API_KEY":    "",
		"WECHAT_MCH_KEY":    id.PrivateKey,
		"WECHAT_MCH_SERIAL": id.Serial,
		"WECHAT_APIV3_KEY":  id.APIv3Key,
	}
	if id.PublicKeyID != "" {
		vars["WECHAT_PUBLIC_KEY"], vars["WECHAT_PUBLIC_KEY_ID"] = id.PublicKey, id.PublicKeyID
	} else {
		vars["WECHAT_CERTIFICATES"] = "on"
	}
	return vars
}
