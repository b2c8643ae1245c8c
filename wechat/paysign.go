package wechat

import (
	"strconv"
	"strings"
)

// PayParams are the six fields of getBrandWCPayRequest. All of them are texts,
// the time stamp too.
type PayParams struct {
	AppID     string
	TimeStamp string // Unix seconds
	NonceStr  string
	Package   string // "prepay_id=..."
	SignType  SignType
	PaySign   string
}

// PayParams signs what the page hands to WeixinJSBridge. The algorithm is that
// of the order (docs/wechat.md 5.1).
func (c *Client) PayParams(prepayID string) (PayParams, error) {
	if !validPrepayID(prepayID) {
		return PayParams{}, &Error{Op: "paysign", Code: codeParam, Message: "prepay_id is missing or malformed", Kind: Developer}
	}
	nonce, err := c.nonce()
	if err != nil {
		return PayParams{}, &Error{Op: "paysign", Message: "no random numbers", Kind: Retry, Err: err}
	}
	p := PayParams{
		AppID:     c.cfg.AppID,
		TimeStamp: strconv.FormatInt(c.cfg.Now().Unix(), 10),
		NonceStr:  nonce,
		Package:   "prepay_id=" + prepayID,
		SignType:  c.cfg.SignType,
	}
	p.PaySign = Sign([]Field{
		{"appId", p.AppID}, {"timeStamp", p.TimeStamp}, {"nonceStr", p.NonceStr},
		{"package", p.Package}, {"signType", string(p.SignType)},
	}, c.apiKey(), c.cfg.SignType)
	return p, nil
}

// validPrepayID accepts what fits package: 128 characters with the name. An "&"
// would change the signed text.
func validPrepayID(s string) bool {
	return visible(s, 128-len("prepay_id=")) && !strings.Contains(s, "&")
}
