package wechattest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Environment is the program in which the shop's link is opened. It decides the user
// agent, whether there is a bridge and what the bridge does, and whether the sign-in
// works.
type Environment string

// The environments (docs/wechat.md 16.2).
const (
	Android        Environment = "android"         // WeChat on an Android phone
	IOS            Environment = "ios"             // WeChat on an iPhone
	Windows        Environment = "windows"         // WeChat for Windows
	Mac            Environment = "mac"             // WeChat for macOS
	Work           Environment = "work"            // Enterprise WeChat on an Android phone
	MiniProgram    Environment = "miniprogram"     // the web-view of a mini program, on an Android phone
	MiniProgramIOS Environment = "miniprogram-ios" // the same on an iPhone, whose user agent does not show it
	Chrome         Environment = "chrome"          // a browser on an Android phone
	Safari         Environment = "safari"          // a browser on an iPhone
	Desktop        Environment = "desktop"         // a browser on a computer

	MacBrowser         Environment = "mac-browser"         // WeChat for macOS 3.8, in the browser of its own
	Windows4           Environment = "windows-4"           // WeChat 4 for Windows
	Mac4               Environment = "mac-4"               // WeChat 4 for macOS
	Linux4             Environment = "linux-4"             // WeChat 4 for Linux
	Harmony            Environment = "harmony"             // WeChat on a phone with HarmonyOS
	AndroidOld         Environment = "android-old"         // WeChat on an Android phone, with an engine of 2019
	MiniProgramWindows Environment = "miniprogram-windows" // the web-view of a mini program in WeChat for Windows
	MiniProgramMac     Environment = "miniprogram-mac"     // the same in WeChat for macOS
)

// The shapes of a Place.
const (
	ShapePhone  = "phone"
	ShapeWindow = "window"
)

// Place describes an Environment.
type Place struct {
	Environment Environment `json:"environment"`
	Title       string      `json:"title"`
	Shape       string      `json:"shape"` // of what the shop is seen in: phone or window
	UserAgent   string      `json:"user_agent"`
	Platform    string      `json:"platform"`     // navigator.platform
	TouchPoints int         `json:"touch_points"` // navigator.maxTouchPoints
	// Bridge reports whether pages get WeixinJSBridge. Not every bridge can pay: see Invoke.
	Bridge bool `json:"bridge"`
	// SignsIn reports whether the sign-in of the Official Account works.
	SignsIn bool `json:"signs_in"`
	// Apple reports an iPhone, whose client has other texts and rules.
	Apple bool `json:"apple"`
	// Old reports an engine of 2019, which cannot parse current scripts.
	Old bool `json:"old,omitempty"`
}

// The user agents of WeChat 8.0.50's two webviews. The part before MicroMessenger is that of the
// phone.
const (
	androidView  = "Mozilla/5.0 (Linux; Android 14; 23127PN0CC Build/UKQ1.230804.001; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.6478.188 Mobile Safari/537.36 "
	androidAgent = androidView + "XWEB/1260117 MMWEBSDK/20240501 MMWEBID/5218 MicroMessenger/8.0.50.2701(0x28003253) WeChat/arm64 Weixin NetType/WIFI Language/zh_CN ABI/arm64"
	iosAgent     = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.50(0x18003235) NetType/WIFI Language/zh_CN"
)

// The part before WeChat's own in the user agents of its programs for computers.
const (
	windowsView = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/132.0.0.0 Safari/537.36 "
	macView     = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/132.0.0.0 Safari/537.36 "
	linuxView   = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 "
)

// Environments describes every Environment.
func Environments() []Place {
	places := []Place{
		{Android, "WeChat on Android", ShapePhone, androidAgent, "Linux armv81", 5, true, true, false, false},
		{IOS, "WeChat on iPhone", ShapePhone, iosAgent, "iPhone", 5, true, true, true, false},
		{Windows, "WeChat for Windows", ShapeWindow, "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 " +
			"NetType/WIFI MicroMessenger/7.0.20.1781(0x6700143B) WindowsWechat(0x63090c11) XWEB/11275 Flue", "Win32", 0, true, true, false, false},
		{Mac, "WeChat for Mac", ShapeWindow, "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 " +
			"NetType/WIFI MicroMessenger/6.8.0(0x16080000) MacWechat/3.8.8(0x13080812) XWEB/1216 Flue", "MacIntel", 0, true, true, false, false},
		{Work, "Enterprise WeChat", ShapePhone, androidView + "wxwork/4.1.28 MicroMessenger/7.0.1 NetType/WIFI Language/zh Lang/zh ColorScheme/Light", "Linux armv81", 5, true, false, false, false},
		{MiniProgram, "Mini program on Android", ShapePhone, androidAgent + " miniProgram/wx7d1e3b9a04c6f258", "Linux armv81", 5, true, true, false, false},
		{MiniProgramIOS, "Mini program on iPhone", ShapePhone, iosAgent, "iPhone", 5, true, true, true, false},
		{Chrome, "Chrome on Android", ShapePhone, "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36", "Linux armv81", 5, false, false, false, false},
		{Safari, "Safari on iPhone", ShapePhone, "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1", "iPhone", 5, false, false, true, false},
		{Desktop, "Browser on a computer", ShapeWindow, "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36", "Win32", 0, false, false, false, false},
	}
	window := func(e Environment, title, agent, platform string) Place {
		return Place{Environment: e, Title: title, Shape: ShapeWindow, UserAgent: agent, Platform: platform, Bridge: true, SignsIn: true}
	}
	phone := func(e Environment, title, agent string, old bool) Place {
		return Place{Environment: e, Title: title, Shape: ShapePhone, UserAgent: agent, Platform: "Linux armv81", TouchPoints: 5, Bridge: true, SignsIn: true, Old: old}
	}
	return append(places,
		window(MacBrowser, "WeChat 3.8 for Mac, own browser", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/107.0.0.0 Safari/537.36 "+
			"MicroMessenger/6.8.0(0x16080000) NetType/WIFI MiniProgramEnv/Mac MacWechat/WECHAT/WeChatBrowser XWEB/1191", "MacIntel"),
		window(Windows4, "WeChat 4 for Windows", windowsView+"NetType/WIFI MicroMessenger/7.0.20.1781(0x6700143B) WindowsWechat(0x63090a13) UnifiedPCWindowsWechat(0xf2541a35) XWEB/19977 Flue", "Win32"),
		window(Mac4, "WeChat 4 for Mac", macView+"NetType/WIFI MicroMessenger/7.0.20.1781(0x6700143B) MacWechat/3.8.7(0x13080712) UnifiedPCMacWechat(0xf26411f0) XWEB/16512 Flue", "MacIntel"),
		window(Linux4, "WeChat 4 for Linux", linuxView+"NetType/WIFI MicroMessenger/7.0.20.1781(0x6700143B) WindowsWechat(0x63090a13) UnifiedPCLinuxWechat(0xf2741108) XWEB/14978 Flue", "Linux x86_64"),
		phone(Harmony, "WeChat on HarmonyOS", "Mozilla/5.0 (Phone; OpenHarmony 5.1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.0.0 Safari/537.36  ArkWeb/4.1.6.1 Mobile "+
			"MicroMessenger/8.0.9.39(0xf3100927) Weixin NetType/WIFI Language/zh_CN MMWEBID/2777 MMWEBSDK/202507060011 XWEB/1140307", false),
		phone(AndroidOld, "WeChat on an old Android", "Mozilla/5.0 (Linux; Android 9; HMA-AL00 Build/HUAWEIHMA-AL00; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/78.0.3904.62 Mobile Safari/537.36 "+
			"XWEB/2759 MMWEBSDK/201201 MMWEBID/1406 MicroMessenger/7.0.21.1783(0x27001543) Process/tools WeChat/arm64 NetType/WIFI Language/zh_CN ABI/arm64", true),
		window(MiniProgramWindows, "Mini program on Windows", windowsView+"MicroMessenger/7.0.20.1781(0x6700143B) NetType/WIFI MiniProgramEnv/Windows WindowsWechat/WMPF WindowsWechat(0x63090a13) UnifiedPCWindowsWechat(0xf254160a) XWEB/18055", "Win32"),
		window(MiniProgramMac, "Mini program on Mac", macView+"MicroMessenger/7.0.20.1781(0x6700143B) NetType/WIFI MiniProgramEnv/Mac MacWechat/WMPF MacWechat/3.8.7(0x13080712) UnifiedPCMacWechat(0xf2641702) XWEB/18788 miniProgram/wx7d1e3b9a04c6f258", "MacIntel"),
	)
}

// ErrUnknownEnvironment is returned by SetEnvironment for an unknown name.
var ErrUnknownEnvironment = errors.New("unknown environment")

// environmentNames lists them for an error.
func environmentNames() string {
	var names []string
	for _, p := range Environments() {
		names = append(names, string(p.Environment))
	}
	return strings.Join(names, ", ")
}

// place finds the description of an environment.
func (e Environment) place() (Place, bool) {
	places := Environments()
	i := slices.IndexFunc(places, func(p Place) bool { return p.Environment == e })
	if i < 0 {
		return Place{}, false
	}
	return places[i], true
}

// InMiniProgram reports whether e is the web-view of a mini program.
func (e Environment) InMiniProgram() bool { return strings.HasPrefix(string(e), "miniprogram") }

// onComputer reports whether p is a WeChat for computers.
func (p Place) onComputer() bool { return p.Shape == ShapeWindow && p.Bridge }

// Place returns where the shop is open.
func (w *WeChat) Place() Place {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.place
}

// SetEnvironment opens the shop elsewhere from now on. Each environment has
// cookies and storage of its own for each person. The error of an unknown one
// lists the known ones.
func (w *WeChat) SetEnvironment(e Environment) error {
	place, ok := e.place()
	if !ok {
		return fmt.Errorf("%w %q; known: %s", ErrUnknownEnvironment, e, environmentNames())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.place = place
	w.publish(Event{Kind: EventEnvironment, Place: &place})
	return nil
}

// Camera returns the place whose WeChat scans a code: Place, or an Android phone if Place cannot
// scan.
func (w *WeChat) Camera() Place {
	if here := w.Place(); here.Shape == ShapePhone && here.SignsIn && !here.Environment.InMiniProgram() && !here.Old {
		return here
	}
	there, _ := Android.place()
	return there
}
