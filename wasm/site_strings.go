//go:build !js

package main

// Texts of the site that need no program, in every language: see lang.go.
var (
	textDescription = text{"微信内下单与支付", "Order and pay in WeChat"}
	textNotLoaded   = text{"页面没有加载成功", "The page did not load"}
	textUpdating    = text{"页面有更新，正在重新打开", "There is a new version of this page, opening it"}
	textEnded       = text{"页面出错了", "The page stopped"}
	textEndedHint   = text{"请重试。已经付的款不会丢", "Please try again. What you paid is safe"}
	textNoPage      = text{"找不到页面", "There is no such page"}
	textNoScript    = text{"请开启 JavaScript 后打开本店", "Turn on JavaScript to open this shop"}
)

// failures are the reasons why the program cannot start. Their names are those in site/check.js and
// site/start.js.
var failures = []struct {
	why         string
	title, hint text
}{
	{"network", errorTexts[codeOffline].Title, errorTexts[codeOffline].Hint},
	{"server", textNotLoaded, text{"店铺的服务器出了问题，请稍后重试", "The shop's server has a problem. Please try again in a moment"}},
	{"altered", textNotLoaded, text{"网络返回了别的内容。如果在用公共 Wi-Fi，请先登录，或换个网络后重试", "The network sent something else. On public Wi-Fi, sign in to it first, or try another network"}},
	{"blocked", text{"页面被拦截了", "Something blocked this page"}, text{"浏览器插件、安全软件或网络拦截了页面的程序。请停用后重试，或换个浏览器", "An extension, security software or the network blocked the page's program. Turn it off, or use another browser"}},
	{"old", text{"微信或系统版本太旧", "WeChat or the system is too old"}, text{"请更新微信和手机系统，或换一部手机打开本页", "Update WeChat and the system, or open this page on another phone"}},
	{"off", text{"缺少需要的浏览器功能", "A browser feature is turned off"}, text{"本页需要 WebAssembly。如果 iPhone 开启了“锁定模式”，请对微信关闭，或换一部手机打开", "This page needs WebAssembly. If Lockdown Mode is on, turn it off for WeChat, or use another phone"}},
	{"memory", text{"手机内存不足", "Not enough memory"}, text{"请关闭其他应用后重试", "Close other apps and try again"}},
	{"broken", textNotLoaded, text{"请重试。如果还是打不开，请换个浏览器", "Please try again. If it does not help, use another browser"}},
}
