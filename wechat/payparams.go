package wechat

import (
	"strings"

	"h5pay/wechat/apiv3"
)

// PayParams are the six fields of getBrandWCPayRequest. All of them are texts,
// the time stamp too.
type PayParams struct {
	AppID     string
	TimeStamp string // Unix seconds
	NonceStr  string
	Package   string   // "prepay_id=..."
	SignType  SignType // SignMD5 or SignHMAC of APIv2, SignRSA of APIv3
	PaySign   string
}

// SignRSA is the SignType of PayParams of APIv3.
const SignRSA SignType = "RSA"

// AppParams are what an app hands to WeChat's SDK.
type AppParams = apiv3.AppParams

// validPrepayID accepts what fits package: 128 characters with the name. An "&"
// would change the signed text.
func validPrepayID(s string) bool {
	return visible(s, 128-len("prepay_id=")) && !strings.Contains(s, "&")
}
