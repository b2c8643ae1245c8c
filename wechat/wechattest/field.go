package wechattest

import (
	"encoding/json"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// field is one line of unifiedorder's field table. Lengths are counted in bytes: WeChat does not
// document it, so the stricter reading is used (docs/wechat.md 4.1).
type field struct {
	name     string
	max      int // bytes
	required bool
	valid    func(v string) bool // nil: anything
}

var (
	nonceForm      = regexp.MustCompile(`^[0-9A-Za-z]+$`)
	outTradeNoForm = regexp.MustCompile(`^[0-9A-Za-z_\-|*@]{6,32}$`)
	safeTradeNo    = regexp.MustCompile(`^[0-9A-Za-z_-]+$`)
	feeForm        = regexp.MustCompile(`^[1-9][0-9]{0,9}$`)
	timeForm       = regexp.MustCompile(`^[0-9]{14}$`)
)

// orderFields is the table of unifiedorder's request fields. openid and
// scene_info, which trade_type decides about, are checked by checkTradeType.
func orderFields() []field {
	return []field{
		{"nonce_str", 32, true, nonceForm.MatchString},
		{"sign", 64, true, nil},
		{"sign_type", 32, false, nil},
		{"device_info", 32, false, plainText},
		{"body", 127, true, plainText},
		{"detail", 6144, false, nil},
		{"attach", 127, false, nil},
		{"out_trade_no", 32, true, outTradeNoForm.MatchString},
		{"fee_type", 16, false, oneOf("CNY")},
		{"total_fee", 10, true, feeForm.MatchString},
		{"spbill_create_ip", 64, true, validIP},
		{"time_start", 14, false, validTime},
		{"time_expire", 14, false, validTime},
		{"goods_tag", 32, false, nil},
		{"notify_url", 256, true, validNotifyURL},
		{"trade_type", 16, true, oneOf("JSAPI", "NATIVE", "APP", "MWEB")}, // MICROPAY has an endpoint of its own
		{"product_id", 32, false, nil},
		{"limit_pay", 32, false, oneOf("no_credit")},
		{"openid", 128, false, nil},
		{"receipt", 8, false, oneOf("Y")},
		{"scene_info", 256, false, validJSON},
		{"profit_sharing", 16, false, oneOf("Y", "N")},
		{"version", 32, false, nil},
		{"fingerprint", 512, false, nil},
	}
}

// checkFields applies a table. The result is the err_code with WeChat's text, or empty if all
// fields are valid.
func checkFields(p *payRequest, table []field) (code, text string) {
	for _, f := range table {
		if f.required && p.get(f.name) == "" {
			return "LACK_PARAMS", "缺少参数" + f.name
		}
	}
	for _, f := range table {
		v := p.get(f.name)
		switch {
		case v == "":
		case len(v) > f.max:
			p.note("%s has %d bytes, at most %d", f.name, len(v), f.max)
			return "PARAM_ERROR", f.name + "参数长度有误"
		case f.valid != nil && !f.valid(v):
			return "PARAM_ERROR", f.name + "参数格式错误"
		}
	}
	for _, f := range p.fields {
		if strings.HasPrefix(f.name, "sub_") && f.value != "" {
			p.note("%s belongs to partner mode, which this merchant does not have", f.name)
			return "NOAUTH", "商户无此接口权限"
		}
		if !knownField(table, f.name) {
			p.note("unknown field %s is ignored", f.name)
		}
	}
	return "", ""
}

func knownField(table []field, name string) bool {
	if name == "appid" || name == "mch_id" {
		return true
	}
	for _, f := range table {
		if f.name == name {
			return true
		}
	}
	return false
}

func oneOf(list ...string) func(string) bool {
	return func(v string) bool { return contains(list, v) }
}

// plainText declines line breaks, control characters and four-byte characters, which
// WeChat is reported to decline in body.
func plainText(v string) bool {
	return strings.IndexFunc(v, func(r rune) bool { return r < 0x20 || r == 0x7f || r > 0xffff }) < 0
}

// validIP accepts IPv4 and IPv6, without a zone.
func validIP(v string) bool {
	a, err := netip.ParseAddr(v)
	return err == nil && a.Zone() == ""
}

// validTime accepts an existing time as yyyyMMddHHmmss.
func validTime(v string) bool {
	_, ok := parsePayTime(v)
	return ok
}

// parsePayTime reads a Beijing time of APIv2.
func parsePayTime(v string) (time.Time, bool) {
	if !timeForm.MatchString(v) {
		return time.Time{}, false
	}
	t, err := time.ParseInLocation(payTime, v, beijing)
	return t, err == nil
}

// validNotifyURL accepts an absolute URL without query string, fragment or user.
func validNotifyURL(v string) bool {
	u, err := url.Parse(v)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && !strings.ContainsAny(v, "?#")
}

// validJSON accepts any JSON value.
func validJSON(v string) bool { return json.Valid([]byte(v)) }

// The bounds of time_expire (docs/wechat.md 4.4). The sources agree that a minute is
// too short. Older ones advise five minutes. A shorter time gets a note and is
// accepted.
const (
	expireMin     = time.Minute
	expireAdvised = 5 * time.Minute
	expireDefault = 7 * 24 * time.Hour
)

// checkTimes applies the rules between time_start, time_expire and now, and
// returns when the order expires.
func checkTimes(p *payRequest, now time.Time) (expires time.Time, code, text string) {
	v := p.get("time_expire")
	if v == "" {
		return now.Add(expireDefault), "", ""
	}
	expires, _ = parsePayTime(v)
	if p.w.cfg.RealTimeShop {
		now = now.Add(-p.w.clock.lead())
		defer func() { expires = expires.Add(p.w.clock.lead()) }()
	}
	if start, ok := parsePayTime(p.get("time_start")); ok && !start.Before(expires) {
		p.note("time_expire is not after time_start")
		return expires, "PARAM_ERROR", "time_expire参数格式错误"
	}
	left := expires.Sub(now)
	if left < expireMin {
		p.note("time_expire is %s ahead of the simulator's clock, %s in Beijing", left.Round(time.Second), now.In(beijing).Format(payTime))
		return expires, "PARAM_ERROR", "time_expire时间过短,刷卡至少1分钟,其他5分钟"
	}
	if left < expireAdvised {
		p.note("time_expire is less than 5 minutes ahead: some of WeChat's documents forbid that")
	}
	return expires, "", ""
}
