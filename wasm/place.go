package main

import (
	"slices"
	"strings"

	"h5pay/internal/api"
)

// place is the program that opened the page. It decides how an order is paid.
type place int

// The places.
const (
	inWeChat        place = iota // on a phone: shows the payment sheet
	inDesktopWeChat              // signs in like the phone, but has no payment sheet
	inMiniProgram                // a mini program's web view; its bridge cannot pay
	inWork                       // WeCom, which has another sign-in
	onPhone                      // a phone's browser
	onDesktop                    // a desktop's browser
)

// placeOf derives the place from the user agent, which is only a hint.
//
// WeCom's user agent also has MicroMessenger. A mini program's has miniProgram/ and an appid,
// formerly miniProgram alone, or WMPF on a computer. MiniProgramEnv/ names the system and also
// occurs in WeChat's browser. WeChat on a computer has WindowsWechat, MacWechat or UnifiedPC, or
// names a desktop system.
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

// hasWord reports whether text contains word without a letter after it.
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

// signsIn reports whether WeChat identifies the user.
func (p place) signsIn() bool { return p == inWeChat || p == inDesktopWeChat }

// tradeTypes returns the trade types of a place, the best one first. A phone's browser can show a
// QR code for another phone.
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

// canPay reports whether any order can be paid in this place.
func (p place) canPay() bool { return p.tradeTypes() != nil }

// canPayWith reports whether a shop that accepts some trade types can be paid in this place.
func (p place) canPayWith(accepted []api.TradeType) bool {
	return slices.ContainsFunc(p.tradeTypes(), func(t api.TradeType) bool { return slices.Contains(accepted, t) })
}
