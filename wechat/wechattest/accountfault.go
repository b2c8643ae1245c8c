package wechattest

// The faults of a merchant's account: what somebody has set wrongly on a platform of WeChat's.
const (
	FaultIPNotListed          = "ip_not_listed"
	FaultSecretFrozen         = "secret_frozen"
	FaultNoWebAuthorization   = "no_web_authorization"
	FaultAppIDNotBound        = "appid_not_bound"
	FaultNoPermission         = "no_permission"
	FaultCertExpired          = "cert_expired"
	FaultCertificatesExpiring = "certificates_expiring"
	FaultEchoLost             = "echo_lost"
	FaultIntercepted          = "intercepted"
)

// accountFaultKinds describes them. all are the paths of all calls.
func accountFaultKinds(all []string) []FaultKind {
	orders := []string{pathUnifiedOrder, PathV3JSAPI, PathV3Native, PathV3H5, PathV3App, PathOrder}
	return []FaultKind{
		{Kind: FaultIPNotListed, Text: "the next code exchange answers 40164: the address of the shop is not in the list of the account"},
		{Kind: FaultSecretFrozen, Text: "the next code exchange answers 40243: the AppSecret is frozen"},
		{Kind: FaultNoWebAuthorization, Text: "the next code exchange answers 48001: the account has no web authorization"},
		{Kind: FaultAppIDNotBound, Text: "an order is declined with APPID_MCHID_NOT_MATCH, as if the appid was not bound to the merchant number", Paths: orders},
		{Kind: FaultNoPermission, Text: "an order is declined with NOAUTH, or NO_AUTH by APIv3, as if the product was not open", Paths: orders},
		{Kind: FaultCertExpired, Text: "APIv3: a call is answered 401, as if the merchant's certificate had expired", Paths: append(v3Paths(), PathOrder)},
		{Kind: FaultCertificatesExpiring, Text: "APIv3: the next list of platform certificates has only such as expire in five days"},
		{Kind: FaultEchoLost, Text: "APIv3: the callback of the next echo is never sent, as if a firewall stopped WeChat alone"},
		{Kind: FaultIntercepted, Text: "a call is answered by somebody else, 200 with a page, as by a proxy for outgoing calls", Paths: all},
	}
}
