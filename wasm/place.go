package main

import "strings"

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

// placeOf reads the user agent, a hint and no more (protocol of WeChat's client:
// Enterprise WeChat carries MicroMessenger too, so it is looked for first).
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
	switch {
	case has("wxwork/"):
		return inWork
	case has("micromessenger/"):
		switch {
		case has("miniprogram"):
			return inMiniProgram
		case has("windowswechat", "macwechat"):
			return inDesktopWeChat
		}
		return inWeChat
	case has("mobile", "android", "iphone", "ipad", "ipod", "harmony"):
		return onPhone
	}
	return onDesktop
}

// pays reports whether an order can be paid in a place.
func (p place) pays() bool { return p == inWeChat }
