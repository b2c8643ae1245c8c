package main

import (
	"slices"
	"strings"

	"h5pay/internal/api"
)

// place is where the page was opened. It decides how an order is paid.
type place int

// The places.
const (
	inWeChat        place = iota // on a phone: the payment sheet
	inDesktopWeChat              // signs in like the phone, but shows no sheet
	inMiniProgram                // a mini program's web view, whose bridge cannot pay
	inWork                       // Enterprise WeChat, which has another sign-in
	onPhone                      // a phone's browser
	onDesktop                    // a desktop's browser
)

// placeOf reads the user agent, which is a hint and no more.
//
// Enterprise WeChat carries MicroMessenger too. A mini program's web view says
// miniProgram/ and its appid, formerly miniProgram alone, or, on a computer, WMPF.
// MiniProgramEnv/ names the system and is in browsers of WeChat as well. WeChat on a
// computer says WindowsWechat, MacWechat or UnifiedPC, or has a computer's platform.
func placeOf(userAgent string) place {
	ua := strings.ToLower(userAgent)
	has := func(words ...string) bool {
		for _, word := range words {
			if strings.Contains(ua, word) {
				return true
			}
		}
		return false
	}
	phone := has("mobile", "android", "iphone", "ipad", "ipod", "harmony") && !has("(pc;")
	switch {
	case has("wxwork/"):
		return inWork
	case !has("micromessenger/"):
		if phone {
			return onPhone
		}
		return onDesktop
	case hasWord(ua, "miniprogram"), hasWord(ua, "wmpf"):
		return inMiniProgram
	case has("windowswechat", "macwechat", "unifiedpc"), !phone && has("(windows nt", "(macintosh", "(x11", "(pc;"):
		return inDesktopWeChat
	}
	return inWeChat
}

// hasWord reports whether a text has a word that no letter follows.
func hasWord(text, word string) bool {
	for {
		_, rest, found := strings.Cut(text, word)
		if !found {
			return false
		}
		if rest == "" || rest[0] < 'a' || rest[0] > 'z' {
			return true
		}
		text = rest
	}
}

// signsIn reports whether WeChat says who the user is.
func (p place) signsIn() bool { return p == inWeChat || p == inDesktopWeChat }

// tradeTypes are the ways to pay in a place, the best one first. A phone's browser
// can show a code for another phone to scan; the code does not care which
// program shows it.
func (p place) tradeTypes() []api.TradeType {
	switch p {
	case inWeChat:
		return []api.TradeType{api.TradeJSAPI, api.TradeNative}
	case inDesktopWeChat:
		return []api.TradeType{api.TradeNative, api.TradeJSAPI}
	case onPhone:
		return []api.TradeType{api.TradeMWEB, api.TradeNative}
	case onDesktop:
		return []api.TradeType{api.TradeNative}
	}
	return nil
}

// canPay reports whether an order can be paid in a place at all.
func (p place) canPay() bool { return p.tradeTypes() != nil }

// canPayWith reports whether an order of a trade type can be paid in a place.
func (p place) canPayWith(t api.TradeType) bool { return slices.Contains(p.tradeTypes(), t) }

// tradeType returns how to pay in a place, given what the shop takes; "" when it
// cannot be done there.
func (p place) tradeType(accepted []api.TradeType) api.TradeType {
	for _, t := range p.tradeTypes() {
		if slices.Contains(accepted, t) {
			return t
		}
	}
	return ""
}
