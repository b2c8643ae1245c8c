//go:build !js

package main

// Texts of the site that need no program, in every language: see lang.go.
var (
	textDescription     = text{"微信内下单与支付", "Order and pay in WeChat"}
	textNotLoaded       = text{"页面加载失败", "The page did not load"}
	textUpdating        = text{"页面已更新，正在重新加载", "Loading the new version of this page"}
	textEnded           = text{"页面出错", "The page stopped"}
	textEndedHint       = text{"请重试。已支付的款项不受影响", "Please try again. Payments that you made are safe"}
	textNoPage          = text{"页面不存在", "Page not found"}
	textConsole         = text{"商户控制台", "Shop console"}
	textConsoleNoScript = text{"请启用 JavaScript 后打开控制台", "Turn on JavaScript to open the console"}
	textNoScript        = text{"请启用 JavaScript 后打开本店", "Turn on JavaScript to open this shop"}
	textPreview         = text{"打开查看订单，用微信支付付款", "Open to see the order and pay with WeChat Pay"}
	textLinkPreview     = text{"打开用微信支付付款", "Open to pay with WeChat Pay"}
)

// failures are the reasons why the program cannot start. Their names are those in site/check.js and
// site/start.js.
var failures = []struct {
	why         string
	title, hint text
}{
	{"network", errorTexts[codeOffline].Title, errorTexts[codeOffline].Hint},
	{"server", textNotLoaded, text{"店铺服务器出错，请稍后重试", "The shop's server has a problem. Please try again in a moment"}},
	{"altered", textNotLoaded, text{"网络返回的内容有误。如使用公共 Wi-Fi，请先登录该网络，或更换网络后重试", "The network returned a different page. On public Wi-Fi, sign in first, or try another network"}},
	{"blocked", text{"页面被拦截", "This page was blocked"}, text{"浏览器插件、安全软件或网络拦截了页面程序。请关闭拦截后重试，或更换浏览器", "An extension, security software or the network blocked the page's program. Turn it off, or use another browser"}},
	{"old", text{"微信或系统版本过低", "WeChat or the system is too old"}, text{"请更新微信和手机系统，或在其他手机上打开本页", "Update WeChat and the system, or open this page on another phone"}},
	{"off", text{"浏览器功能未开启", "A browser feature is turned off"}, text{"本页需要 WebAssembly。如果 iPhone 开启了“锁定模式”，请对微信关闭该模式，或在其他手机上打开", "This page needs WebAssembly. If Lockdown Mode is on, turn it off for WeChat, or use another phone"}},
	{"memory", text{"手机内存不足", "Not enough memory"}, text{"请关闭其他应用后重试", "Close other apps and try again"}},
	{"broken", textNotLoaded, text{"请重试。如仍无法打开，请更换浏览器", "Please try again. If that does not help, use another browser"}},
}
