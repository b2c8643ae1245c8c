//go:build !js

package main

// What the site says where there is no program, in every language: see lang.go.
var (
	textDescription = text{"微信内下单与支付", "Order and pay in WeChat"}
	textNotLoaded   = text{"页面没有加载成功", "The page did not load"}
	textUpdating    = text{"页面有更新，正在重新打开", "There is a new version of this page, opening it"}
	textEnded       = text{"页面出错了", "The page stopped"}
	textEndedHint   = text{"请重试。已经付的款不会丢", "Please try again. What you paid is safe"}
	textNoPage      = text{"找不到页面", "There is no such page"}
)
