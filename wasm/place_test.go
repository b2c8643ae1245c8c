package main

import "testing"

func TestPlaceOf(t *testing.T) {
	for ua, want := range map[string]place{
		wechatUA: inWeChat,
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5) Mobile/15E148 MicroMessenger/8.0.50(0x1) Language/zh_CN":             inWeChat,
		"Mozilla/5.0 (Linux; Android 14) Mobile MicroMessenger/8.0.49.2600 wechatdevtools/1.06":                        inWeChat,
		"Mozilla/5.0 (Linux; Android 14) Mobile MicroMessenger/8.0.49.2600 miniProgram/wx5a1e0f7c3b2d4968":             inMiniProgram,
		"Mozilla/5.0 (Windows NT 10.0) MicroMessenger/7.0.20 WindowsWechat(0x63090b19) miniProgram":                    inMiniProgram,
		"Mozilla/5.0 wxwork/4.1.10 MicroMessenger/7.0.1 Language/zh":                                                   inWork,
		"Mozilla/5.0 (Windows NT 10.0) WindowsWechat MicroMessenger/7.0.20 wxwork/4.1":                                 inWork,
		"Mozilla/5.0 (Windows NT 10.0) MicroMessenger/7.0.20 WindowsWechat":                                            inDesktopWeChat,
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) MicroMessenger/6.8.0(0x16080000) MacWechat/3.8.7(0x13080710)": inDesktopWeChat,
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Version/18.5 Mobile/15E148 Safari/604.1":               onPhone,
		"Mozilla/5.0 (Linux; Android 14; CUBOT X70) Chrome/156.0 Mobile Safari/537.36":                                 onPhone,
		"Mozilla/5.0 (Phone; OpenHarmony 5.0) ArkWeb/4.1 HuaweiBrowser/5.0":                                            onPhone,
		"Mozilla/5.0 (X11; Linux x86_64) Chrome/156.0 Safari/537.36":                                                   onDesktop,
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.5 Safari/605.1.15":                                 onDesktop,
		"": onDesktop,
	} {
		if got := placeOf(ua); got != want {
			t.Errorf("%q: %d, want %d", ua, got, want)
		}
	}
}
