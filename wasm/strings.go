package main

import "h5pay/internal/api"

// Every sentence the page shows. A second language is a second table.
const (
	textTitle       = "小铺"
	textPayTitle    = "确认支付"
	textResultTitle = "支付结果"
	textLoading     = "正在加载"
	textAdd         = "加一件"
	textRemove      = "减一件"
	textCheckout    = "去支付"
	textOrdering    = "正在下单"
	textNothing     = "请选择商品"
	textTotal       = "合计"
	textPay         = "微信支付"
	textPaying      = "正在打开微信支付"
	textCancelled   = "已取消，可再次支付"
	textPayFailed   = "支付没有完成，可再次支付"
	textAmount      = "支付金额"
	textConfirming  = "正在确认支付结果"
	textConfirmHint = "请稍候，结果以微信支付为准"
	textStill       = "仍在确认中"
	textStillHint   = "微信还没有告诉我们结果。如果已经付款，钱不会丢，稍后再查即可"
	textPaid        = "支付成功"
	textClosed      = "订单已关闭"
	textClosedHint  = "没有付款，可以重新下单"
	textFailed      = "下单没有成功"
	textFailedHint  = "微信支付没有接受这笔订单，没有付款"
	textAskAgain    = "再查一次"
	textBackToPay   = "返回支付"
	textShop        = "返回首页"
	textRetry       = "重试"
	textSignIn      = "重新登录"
	textPaidAt      = "支付时间"
	textPaymentNo   = "交易单号"
	textOrderNo     = "订单号"
	textEmpty       = "还没有商品上架"
	textSoldOut     = "稍后再来看看"
	textOutside     = "请在微信中打开"
	textOutsideHint = "付款需要在微信里打开本页"
	textWorkHint    = "企业微信里不能付款，请用微信打开"
	textCopy        = "复制链接"
	textCopied      = "已复制，请到微信中打开"
	textNotCopied   = "没有复制成功，请复制浏览器的地址"
	textNotLoaded   = "页面没有加载成功"
	textRequest     = "问题编号"
)

// way is the way out that goes with a message.
type way int

// The ways out.
const (
	wayRetry  way = iota // the same again
	waySignIn            // begin the sign-in anew
	wayShop              // the start page
)

// trouble is what the page says about an error.
type trouble struct {
	Title, Hint string
	Way         way
}

var troubles = map[api.Code]trouble{
	codeOffline:              {"网络不给力", "请检查网络后重试", wayRetry},
	codeGarbled:              {"服务暂时不可用", "请稍后重试", wayRetry},
	codeBridge:               {"没有等到微信支付", "请在微信中打开本页后重试", wayRetry},
	codeRefused:              {"需要登录才能下单", "你拒绝了授权，可以重新登录", waySignIn},
	codeNoOrder:              {"找不到订单", "链接不完整，请回到首页", wayShop},
	codeSignInLoop:           {"登录没有成功", "微信两次都没有认出你，请稍后再试", waySignIn},
	api.CodeBadRequest:       {"请求有误", "请回到首页重新选择", wayShop},
	api.CodeMethodNotAllowed: {"请求有误", "页面可能不是最新的，请重试", wayRetry},
	api.CodeBodyTooLarge:     {"商品太多", "请减少商品后再试", wayShop},
	api.CodeContentType:      {"请求有误", "页面可能不是最新的，请重试", wayRetry},
	api.CodeOrderPaid:        {"订单已支付", "不需要再次付款", wayShop},
	api.CodeForbiddenOrigin:  {"链接有误", "请从商家提供的入口打开", wayShop},
	api.CodeNotFound:         {"找不到订单", "订单不存在，或不属于当前微信号", wayShop},
	api.CodeUnauthenticated:  {"登录已过期", "请重新登录", waySignIn},
	api.CodeStateInvalid:     {"登录已过期", "请重新登录", waySignIn},
	api.CodeCodeUsed:         {"登录已过期", "请重新登录", waySignIn},
	api.CodeCodeInvalid:      {"登录已过期", "请重新登录", waySignIn},
	api.CodeSnapshotUser:     {"请使用完整服务", "当前是快照页，请点击页面下方“使用完整服务”后再试", wayRetry},
	api.CodeProductGone:      {"商品已下架", "请回到首页重新选择", wayShop},
	api.CodeConflict:         {"订单已变化", "请回到首页重新下单", wayShop},
	api.CodeOrderNotPayable:  {"订单不能再支付", "订单已关闭或过期，请重新下单", wayShop},
	api.CodeOrderNotPaid:     {"订单还没有付款", "没有可以退的钱", wayShop},
	api.CodeRefundTooMuch:    {"退款金额过大", "超过了还没有退的金额", wayShop},
	api.CodeRateLimited:      {"操作太频繁", "请等一分钟再试", wayRetry},
	api.CodeWeChatRefused:    {"微信支付没有接受", "请联系商家", wayRetry},
	api.CodeWeChatBusy:       {"微信支付繁忙", "没有扣款，请稍后重试", wayRetry},
	api.CodeMisconfigured:    {"商家尚未完成设置", "请联系商家", wayRetry},
	api.CodeInternal:         {"服务出错了", "请稍后重试", wayRetry},
}

// troubleOf returns what to say about an error; there is always something.
func troubleOf(c api.Code) trouble {
	if t, ok := troubles[c]; ok {
		return t
	}
	return troubles[api.CodeInternal]
}
