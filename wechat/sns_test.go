package wechat

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestExchangeCode(t *testing.T) {
	const good = `"access_token":"TOKEN","openid":"` + testOpenID + `"`
	want := func(change func(*Token)) Token {
		token := Token{AccessToken: "TOKEN", OpenID: testOpenID}
		change(&token)
		return token
	}
	for name, tt := range map[string]struct {
		body string
		want Token
	}{
		"complete": {`{` + good + `,"expires_in":7200,"refresh_token":"R","scope":"snsapi_userinfo,snsapi_base","unionid":"u1"}`,
			want(func(t *Token) { t.ExpiresIn, t.Scope, t.UnionID = 2*time.Hour, "snsapi_userinfo,snsapi_base", "u1" })},
		"least":                  {"{" + good + "}", want(func(*Token) {})},
		"errcode 0":              {`{"errcode":0,"errmsg":"ok",` + good + `}`, want(func(*Token) {})},
		"errcode 0 in a string":  {`{"errcode":"0",` + good + `}`, want(func(*Token) {})},
		"BOM, white space":       {"\ufeff\r\n{" + good + "}\n", want(func(*Token) {})},
		"expires_in a string":    {`{` + good + `,"expires_in":"7200"}`, want(func(t *Token) { t.ExpiresIn = 2 * time.Hour })},
		"expires_in negative":    {`{` + good + `,"expires_in":-7200}`, want(func(*Token) {})},
		"expires_in huge":        {`{` + good + `,"expires_in":9223372036854775807}`, want(func(*Token) {})},
		"expires_in huger":       {`{` + good + `,"expires_in":99999999999999999999}`, want(func(*Token) {})},
		"expires_in a fraction":  {`{` + good + `,"expires_in":7200.5}`, want(func(*Token) {})},
		"expires_in null":        {`{` + good + `,"expires_in":null}`, want(func(*Token) {})},
		"snapshot 1":             {`{` + good + `,"is_snapshotuser":1}`, want(func(t *Token) { t.Snapshot = true })},
		"snapshot in a string":   {`{` + good + `,"is_snapshotuser":"1"}`, want(func(t *Token) { t.Snapshot = true })},
		"snapshot true":          {`{` + good + `,"is_snapshotuser":true}`, want(func(t *Token) { t.Snapshot = true })},
		"snapshot odd":           {`{` + good + `,"is_snapshotuser":{}}`, want(func(t *Token) { t.Snapshot = true })},
		"snapshot 0":             {`{` + good + `,"is_snapshotuser":0}`, want(func(*Token) {})},
		"snapshot false":         {`{` + good + `,"is_snapshotuser":false}`, want(func(*Token) {})},
		"unionid null":           {`{` + good + `,"unionid":null}`, want(func(*Token) {})},
		"scope of another type":  {`{` + good + `,"scope":["snsapi_base"]}`, want(func(*Token) {})},
		"names in another case":  {`{` + good + `,"UnionID":"u1","ERRCODE":40029}`, want(func(*Token) {})},
		"unknown members":        {`{` + good + `,"new":{"a":[1,null]}}`, want(func(*Token) {})},
		"openid of 128":          {`{"access_token":"TOKEN","openid":"` + strings.Repeat("o", 128) + `"}`, Token{AccessToken: "TOKEN", OpenID: strings.Repeat("o", 128)}},
		"token of 512":           {`{"access_token":"` + strings.Repeat("T", 512) + `","openid":"o"}`, Token{AccessToken: Secret(strings.Repeat("T", 512)), OpenID: "o"}},
		"slashes and characters": {`{"access_token":"a\/b+c=","openid":"o\u005f1"}`, Token{AccessToken: "a/b+c=", OpenID: "o_1"}},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := newClient(t, says(tt.body))
			got, err := c.ExchangeCode(t.Context(), "a b&c=d/e+茶")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.Comparer(func(a, b Secret) bool { return a == b })); diff != "" {
				t.Errorf("token (-want +got):\n%s", diff)
			}
			const url = "https://api.weixin.qq.com/sns/oauth2/access_token?appid=" + testAppID + "&secret=" + testSecret +
				"&code=a+b%26c%3Dd%2Fe%2B%E8%8C%B6&grant_type=authorization_code"
			if len(s.urls) != 1 || s.urls[0].String() != url {
				t.Errorf("sent %v", s.urls)
			}
		})
	}
}

func TestExchangeCodeThatIsDeclined(t *testing.T) {
	const rid = `,"errmsg":"invalid code, openid ` + testOpenID + `, rid: 65f0-TOKEN"}`
	for name, tt := range map[string]struct {
		body string
		kind Kind
		code string
	}{
		"used":                  {`{"errcode":40163` + rid, Restart, CodeUsed},
		"invalid":               {`{"errcode":40029` + rid, Restart, CodeInvalid},
		"expired":               {`{"errcode":42003` + rid, Restart, CodeExpired},
		"in a string":           {`{"errcode":"40029"` + rid, Restart, CodeInvalid},
		"busy":                  {`{"errcode":-1` + rid, Retry, "-1"},
		"too frequent":          {`{"errcode":45011` + rid, Retry, "45011"},
		"secret":                {`{"errcode":40125` + rid, Operator, "40125"},
		"secret, old":           {`{"errcode":40001` + rid, Operator, "40001"},
		"high risk":             {`{"errcode":40226` + rid, Declined, "40226"},
		"unknown":               {`{"errcode":61451` + rid, Declined, "61451"},
		"error with a token":    {`{"errcode":40029,"access_token":"TOKEN","openid":"o"}`, Restart, CodeInvalid},
		"errcode a word":        {`{"errcode":"invalid"` + rid, Untrusted, ""},
		"errcode null":          {`{"errcode":null` + rid, Untrusted, ""},
		"errcode a fraction":    {`{"errcode":40029.0` + rid, Untrusted, ""},
		"errcode too large":     {`{"errcode":99999999999999999999` + rid, Untrusted, ""},
		"errcode an object":     {`{"errcode":{}` + rid, Untrusted, ""},
		"no token":              {`{"openid":"o"}`, Untrusted, ""},
		"no openid":             {`{"access_token":"TOKEN"}`, Untrusted, ""},
		"empty openid":          {`{"access_token":"TOKEN","openid":""}`, Untrusted, ""},
		"openid a number":       {`{"access_token":"TOKEN","openid":12}`, Untrusted, ""},
		"openid in another way": {`{"access_token":"TOKEN","OpenID":"o"}`, Untrusted, ""},
		"openid with a space":   {`{"access_token":"TOKEN","openid":"o 1"}`, Untrusted, ""},
		"openid with newline":   {`{"access_token":"TOKEN","openid":"o\n1"}`, Untrusted, ""},
		"openid of 129":         {`{"access_token":"TOKEN","openid":"` + strings.Repeat("o", 129) + `"}`, Untrusted, ""},
		"empty object":          {`{}`, Untrusted, ""},
		"two objects":           {`{"access_token":"TOKEN","openid":"o"}{}`, Untrusted, ""},
		"half an object":        {`{"access_token":"TOKEN","openid":"o"`, Untrusted, ""},
		"XML":                   {`<xml><openid>o</openid></xml>`, Retry, ""},
		"list":                  {`[{"openid":"o"}]`, Retry, ""},
		"null":                  {`null`, Retry, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := newClient(t, says(tt.body))
			token, err := c.ExchangeCode(t.Context(), "THECODE")
			wantError(t, err, tt.kind, tt.code)
			if token != (Token{}) {
				t.Error("a token was returned with the error")
			}
		})
	}
	t.Run("no code", func(t *testing.T) {
		c, _ := newClient(t, unread(t))
		_, err := c.ExchangeCode(t.Context(), "")
		wantError(t, err, Restart, "41008")
	})
}

func TestUserInfo(t *testing.T) {
	const id = `{"openid":"` + testOpenID + `"`
	token := Token{AccessToken: "TO/KEN+", OpenID: testOpenID, Scope: "snsapi_userinfo"}
	for name, tt := range map[string]struct {
		body string
		want User
	}{
		"complete": {id + `,"nickname":"小明🍵\u003cb\u003e","sex":0,"province":"","headimgurl":"https:\/\/thirdwx.qlogo.cn\/a\/132","privilege":[],"unionid":"u1"}`,
			User{OpenID: testOpenID, Nickname: "小明🍵<b>", AvatarURL: "https://thirdwx.qlogo.cn/a/132", UnionID: "u1"}},
		"least":                    {id + `}`, User{OpenID: testOpenID}},
		"raw control character":    {id + ",\"nickname\":\"a\x14b\x00\"}", User{OpenID: testOpenID, Nickname: "a b "}},
		"escaped one":              {id + `,"nickname":"a\u0007b\u0000\r\n"}`, User{OpenID: testOpenID, Nickname: "ab"}},
		"not UTF-8":                {id + ",\"nickname\":\"a\xffb\"}", User{OpenID: testOpenID, Nickname: "ab"}},
		"half an emoji":            {id + `,"nickname":"a\ud83c"}`, User{OpenID: testOpenID, Nickname: "a"}},
		"old types":                {id + `,"sex":"1","nickname":null,"headimgurl":null,"privilege":"","unionid":7}`, User{OpenID: testOpenID}},
		"no picture":               {id + `,"headimgurl":""}`, User{OpenID: testOpenID}},
		"errcode 0 with a profile": {id + `,"errcode":0}`, User{OpenID: testOpenID}},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := newClient(t, says(tt.body))
			got, err := c.UserInfo(t.Context(), token, "zh_CN")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("user (-want +got):\n%s", diff)
			}
			const url = "https://api.weixin.qq.com/sns/userinfo?access_token=TO%2FKEN%2B&openid=" + testOpenID + "&lang=zh_CN"
			if s.urls[0].String() != url {
				t.Errorf("sent %v", s.urls[0])
			}
		})
	}
}

func TestUserInfoThatIsDeclined(t *testing.T) {
	token := Token{AccessToken: "TOKEN", OpenID: testOpenID, Scope: "snsapi_base,snsapi_userinfo"}
	base := Token{AccessToken: "TOKEN", OpenID: testOpenID, Scope: "snsapi_base"}
	for name, tt := range map[string]struct {
		token Token
		body  string
		kind  Kind
		code  string
	}{
		"another user":          {token, `{"openid":"oAnother"}`, Untrusted, ""},
		"no openid":             {token, `{"nickname":"x"}`, Untrusted, ""},
		"dead token":            {token, `{"errcode":40001,"errmsg":"` + testOpenID + `"}`, Restart, "40001"},
		"malformed token":       {token, `{"errcode":40014}`, Restart, "40014"},
		"expired token":         {token, `{"errcode":42001}`, Restart, "42001"},
		"scope too small":       {base, `{"errcode":48001}`, Restart, "48001"},
		"account lacks the API": {token, `{"errcode":48001}`, Operator, "48001"},
		"other appid":           {token, `{"errcode":40003}`, Developer, "40003"},
		"restricted user":       {token, `{"errcode":50002}`, Declined, "50002"},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := newClient(t, says(tt.body))
			user, err := c.UserInfo(t.Context(), tt.token, "en")
			wantError(t, err, tt.kind, tt.code)
			if user != (User{}) {
				t.Error("a user was returned with the error")
			}
		})
	}
	c, _ := newClient(t, unread(t))
	_, err := c.UserInfo(t.Context(), Token{OpenID: testOpenID}, "zh_CN")
	wantError(t, err, Restart, "")
	_, err = c.UserInfo(t.Context(), Token{AccessToken: "TOKEN"}, "zh_CN")
	wantError(t, err, Restart, "")
	_, err = c.UserInfo(t.Context(), token, "zh-CN&x=y")
	wantError(t, err, Developer, "PARAM_ERROR")
}
