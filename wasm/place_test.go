package main

import "testing"

// The user agents are from real clients; some are shortened.
func TestPlaceOf(t *testing.T) {
	const (
		android = "Mozilla/5.0 (Linux; Android 14; 23127PN0CC Build/UKQ1.230804.001; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.6478.188 Mobile Safari/537.36 XWEB/1260117 MMWEBSDK/20240501 MMWEBID/5218 MicroMessenger/8.0.50.2701(0x28003253) WeChat/arm64 Weixin NetType/WIFI Language/zh_CN ABI/arm64"
		iphone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.50(0x18003235) NetType/WIFI Language/zh_CN"
		windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/132.0.0.0 Safari/537.36 "
		mac     = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/132.0.0.0 Safari/537.36 "
		linux   = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 "
		harmony = "Mozilla/5.0 (Phone; OpenHarmony 5.1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.0.0 Safari/537.36  ArkWeb/4.1.6.1 Mobile"
	)
	for ua, want := range map[string]place{
		wechatUA: inWeChat,
		android:  inWeChat,
		iphone:   inWeChat,
		"Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.44(0x18002c2f) NetType/WIFI Language/zh_CN":                       inWeChat,
		harmony + " MicroMessenger/8.0.9.39(0xf3100927) Weixin NetType/WIFI Language/zh_CN MMWEBID/2777 MMWEBSDK/202507060011 XWEB/1140307":                                                        inWeChat,
		"Mozilla/5.0 (Linux; Android 9; HMA-AL00; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/78.0.3904.62 XWEB/2759 MMWEBSDK/201201 Mobile Safari/537.36 MicroMessenger/7.0.21": inWeChat,
		"Mozilla/5.0 (Linux; Android 14) Mobile MicroMessenger/8.0.49.2600 wechatdevtools/1.06":                                                                                                    inWeChat,

		android + " miniProgram/wx5a1e0f7c3b2d4968": inMiniProgram,
		iphone + " miniProgram/wx5a1e0f7c3b2d4968":  inMiniProgram,
		iphone + " miniProgram":                     inMiniProgram,
		windows + "MicroMessenger/7.0.20.1781(0x6700143B) NetType/WIFI MiniProgramEnv/Windows WindowsWechat/WMPF WindowsWechat(0x63090a13) UnifiedPCWindowsWechat(0xf254160a) XWEB/18055":                  inMiniProgram,
		windows + "MicroMessenger/7.0.20.1781(0x6700143B) NetType/WIFI MiniProgramEnv/Windows WindowsWechat/WMPF WindowsWechat(0x63090c33) XWEB/9129":                                                      inMiniProgram,
		mac + "MicroMessenger/6.8.0(0x16080000) NetType/WIFI MiniProgramEnv/Mac MacWechat/WMPF MacWechat/3.8.10(0x13080a10) XWEB/1227":                                                                     inMiniProgram,
		mac + "MicroMessenger/7.0.20.1781(0x6700143B) NetType/WIFI MiniProgramEnv/Mac MacWechat/WMPF MacWechat/3.8.7(0x13080712) UnifiedPCMacWechat(0xf2641702) XWEB/18788 miniProgram/wxf13a8dee385f2258": inMiniProgram,
		linux + "MicroMessenger/7.0.20.1781(0x6700143B) NetType/WIFI MiniProgramEnv/Windows WindowsWechat/WMPF WindowsWechat(0x63090a13) UnifiedPCLinuxWechat(0xf2741104) XWEB/14910":                      inMiniProgram,

		"Mozilla/5.0 wxwork/4.1.10 MicroMessenger/7.0.1 Language/zh": inWork,
		windows + "WindowsWechat MicroMessenger/7.0.20 wxwork/4.1":   inWork,
		android + " wxwork/4.1.28":                                   inWork,

		// WeChat for Mac 3.8. Its own browser has MiniProgramEnv/ in its user agent, like mini programs.
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/107.0.0.0 Safari/537.36 MicroMessenger/6.8.0(0x16080000) NetType/WIFI MiniProgramEnv/Mac MacWechat/WECHAT/WeChatBrowser XWEB/1191": inDesktopWeChat,
		mac + "NetType/WIFI MicroMessenger/6.8.0(0x16080000) MacWechat/3.8.8(0x13080812) XWEB/1216 Flue":                                                                                                                                  inDesktopWeChat,
		windows + "NetType/WIFI MicroMessenger/7.0.20.1781(0x6700143B) WindowsWechat(0x63090c11) XWEB/11275 Flue":                                                                                                                         inDesktopWeChat,
		windows + "NetType/WIFI MicroMessenger/7.0.20.1781(0x6700143B) WindowsWechat(0x63090a13) UnifiedPCWindowsWechat(0xf2541a35) XWEB/19977 Flue":                                                                                      inDesktopWeChat,
		mac + "NetType/WIFI MicroMessenger/7.0.20.1781(0x6700143B) MacWechat/3.8.7(0x13080712) UnifiedPCMacWechat(0xf26411f0) XWEB/16512 Flue":                                                                                            inDesktopWeChat,
		linux + "NetType/WIFI MicroMessenger/7.0.20.1781(0x6700143B) WindowsWechat(0x63090a13) UnifiedPCLinuxWechat(0xf2741108) XWEB/14978 Flue":                                                                                          inDesktopWeChat,
		linux + "NetType/WIFI MicroMessenger/7.0.20.1781(0x6700143B) UnifiedPCLinuxWechat(0xf2741108) XWEB/14978 Flue":                                                                                                                    inDesktopWeChat,
		linux + "NetType/WIFI MicroMessenger/7.0.20.1781(0x6700143B) XWEB/14978":                                                                                                                                                          inDesktopWeChat,
		"Mozilla/5.0 (PC; OpenHarmony 5.1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/132.0.0.0 Safari/537.36  ArkWeb/6.0.0.110 NetType/WIFI MicroMessenger/7.0.20.1781(0x6700143B) XWEB/1320110":                                      inDesktopWeChat,

		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Version/18.5 Mobile/15E148 Safari/604.1": onPhone,
		"Mozilla/5.0 (Linux; Android 14; CUBOT X70) Chrome/156.0 Mobile Safari/537.36":                   onPhone,
		harmony: onPhone,
		"Mozilla/5.0 (Linux; Android 10; HarmonyOS; VOG-AL00; HMSCore 6.14.0.302) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.5735.196 HuaweiBrowser/15.0.4.312 Mobile Safari/537.36": onPhone,
		"Mozilla/5.0 (Tablet; OpenHarmony 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.0.0 Safari/537.36  ArkWeb/4.1.6.1":                                                         onPhone,

		"Mozilla/5.0 (PC; OpenHarmony 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.0.0 Safari/537.36  ArkWeb/4.1.6.1": onDesktop,
		"Mozilla/5.0 (X11; Linux x86_64) Chrome/156.0 Safari/537.36":                                                              onDesktop,
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.5 Safari/605.1.15":                                            onDesktop,
		windows: onDesktop,
		"":      onDesktop,
	} {
		if got := placeOf(ua); got != want {
			t.Errorf("%q: %d, want %d", ua, got, want)
		}
	}
}
