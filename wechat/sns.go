package wechat

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// snsReply is the JSON object of a response of api.weixin.qq.com. Its members are read one by
// one: struct decoding ignores the case of names, and a wrong type in one member would
// lose all others.
type snsReply map[string]json.RawMessage

// sns makes one GET of api.weixin.qq.com. Its responses are JSON in spite of their
// content type, with status 200 and an errcode for errors (docs/wechat.md 1.6).
func (c *Client) sns(ctx context.Context, op, pathAndQuery string) (snsReply, error) {
	body, err := exchange(ctx, call{op: op, method: http.MethodGet, url: c.cfg.APIURL + pathAndQuery, doer: c.cfg.Doer, limit: maxMessage})
	if err != nil {
		return nil, err
	}
	if page(body, '{') {
		return nil, &Error{Op: op, Message: "the response is not JSON", Kind: Retry}
	}
	reply, ok := parseSNS(body)
	if !ok {
		return nil, &Error{Op: op, Message: "the response is not a JSON object", Kind: Untrusted}
	}
	if raw, ok := reply["errcode"]; ok {
		code, ok := integer(raw)
		if !ok {
			return nil, &Error{Op: op, Message: "the response's errcode: want a number", Kind: Untrusted}
		}
		if code != 0 {
			text := strconv.FormatInt(code, 10)
			// Not errmsg: it has a request id and now and then an openid.
			return nil, &Error{Op: op, Code: text, Message: "WeChat declined", Kind: kindOf(op, text)}
		}
	}
	return reply, nil
}

// parseSNS decodes a response. Raw control characters, which JSON forbids and nicknames
// have been seen with, become spaces.
func parseSNS(body []byte) (snsReply, bool) {
	body = bytes.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, bytes.TrimPrefix(body, bom))
	var reply snsReply
	if err := json.Unmarshal(body, &reply); err != nil || reply == nil {
		return nil, false
	}
	return reply, true
}

// text returns a member that is a string, "" for anything else.
func (r snsReply) text(name string) string {
	var s string
	if raw, ok := r[name]; !ok || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// integer reads a whole number, bare or as a string: the types of WeChat's
// members have changed before.
func integer(raw json.RawMessage) (int64, bool) {
	n, err := strconv.ParseInt(strings.Trim(string(raw), `"`), 10, 64)
	return n, err == nil
}

// flag reads a mark that WeChat sets to 1. Any value that does not clearly mean "no" counts as
// "yes".
func flag(raw json.RawMessage) bool {
	switch string(raw) {
	case "", "0", `"0"`, `""`, "false", `"false"`, "null":
		return false
	}
	return true
}
