package main

import "h5pay/internal/api"

// Every sentence that the page shows, in every language: see lang.go.
var (
	textLanguage            = text{"中文", "English"} // each language's own name
	textTitle               = text{"小铺", "Shop"}
	textPayTitle            = text{"确认支付", "Confirm and pay"}
	textResultTitle         = text{"支付结果", "Payment result"}
	textLoading             = text{"正在加载", "Loading"}
	textAdd                 = text{"加一件", "Add one"}
	textRemove              = text{"减一件", "Remove one"}
	textCheckout            = text{"去支付", "Check out"}
	textOrdering            = text{"正在下单", "Placing the order"}
	textChooseProducts      = text{"请选择商品", "Choose something"}
	textTotal               = text{"合计", "Total"}
	textPay                 = text{"微信支付", "Pay with WeChat"}
	textPaying              = text{"正在打开微信支付", "Opening WeChat Pay"}
	textCancelled           = text{"已取消，可再次支付", "Cancelled. You can pay again"}
	textPayFailed           = text{"支付没有完成，可再次支付", "The payment did not go through. You can try again"}
	textPayUnknown          = text{"微信没有收到付款，可再次支付", "WeChat has received no payment. You can pay again"}
	textAmount              = text{"支付金额", "Amount"}
	textConfirming          = text{"正在确认支付结果", "Confirming the payment"}
	textConfirmHint         = text{"请稍候，结果以微信支付为准", "One moment. WeChat Pay has the last word"}
	textStillConfirming     = text{"仍在确认中", "Still confirming"}
	textStillConfirmingHint = text{"微信还没有告诉我们结果。如果已经付款，钱不会丢，稍后再查即可", "WeChat has not told us the result yet. If you have paid, your money is safe: check again a little later"}
	textPaid                = text{"支付成功", "Paid"}
	textClosed              = text{"订单已关闭", "The order is closed"}
	textClosedHint          = text{"没有付款，可以重新下单", "Nothing was paid. You can order again"}
	textFailed              = text{"下单没有成功", "The order was not placed"}
	textFailedHint          = text{"微信支付没有接受这笔订单，没有付款", "WeChat Pay did not take this order. Nothing was paid"}
	textCheckAgain          = text{"再查一次", "Check again"}
	textBackToPay           = text{"返回支付", "Back to payment"}
	textShop                = text{"返回首页", "Back to the shop"}
	textRetry               = text{"重试", "Try again"}
	textSignIn              = text{"重新登录", "Sign in again"}
	textPaidAt              = text{"支付时间", "Paid at"}
	textNotKnownYet         = text{"微信尚未告知", "Not known yet"}
	textPaymentNo           = text{"交易单号", "Transaction"}
	textOrderNo             = text{"订单号", "Order"}
	textEmpty               = text{"还没有商品上架", "Nothing for sale yet"}
	textSoldOut             = text{"稍后再来看看", "Have a look later"}
	textOutside             = text{"请在微信中打开", "Open in WeChat"}
	textOutsideHint         = text{"付款需要在微信里打开本页", "To pay, open this page in WeChat"}
	textWorkHint            = text{"企业微信里不能付款，请用微信打开", "WeCom cannot pay here. Open this page in WeChat"}
	textMiniHint            = text{"小程序里的网页不能付款，请复制链接到微信聊天中打开", "Pages inside a mini program cannot pay. Copy the link and open it from a WeChat chat"}
	textYuan                = text{"元", "yuan"}
	textCopy                = text{"复制链接", "Copy link"}
	textCopied              = text{"已复制，请到微信中打开", "Copied. Open it in WeChat"}
	textNotCopied           = text{"没有复制成功，请复制浏览器的地址", "Could not copy. Please copy the address of the browser"}
	textBasket              = text{"购物篮", "Basket"}
	textClear               = text{"清空", "Empty it"}
	textClose               = text{"收起", "Close"}
	textNotNow              = text{"暂不", "Not now"}
	textEnterAmount         = text{"填写金额", "Enter an amount"}
	textAmountTitle         = text{"付款", "Pay"}
	textWithin              = text{"可付", "Any amount of"}
	textPayNow              = text{"付款", "Pay"}
	textPoint               = text{"小数点", "Decimal point"}
	textBackspace           = text{"退格", "Delete"}
	textPad                 = text{"数字键盘", "Number pad"}
	textSlow                = text{"没有看到支付窗口，或已经付完款？", "No payment window, or already paid?"}
	textPayAgain            = text{"重新支付", "Pay again"}
	textCheckResult         = text{"我已付款，查结果", "I have paid, check"}
	textScan                = text{"请用微信“扫一扫”付款", "Scan with WeChat to pay"}
	textScanOther           = text{"请用另一部手机的微信“扫一扫”付款", "Scan with WeChat on another phone to pay"}
	textCode                = text{"微信支付二维码", "WeChat Pay QR code"}
	textAutoResult          = text{"付款后本页自动显示结果", "This page shows the result by itself"}
	textPhoneHint           = text{"也可以复制链接，在微信里打开本店", "Or copy the link and open the shop in WeChat"}
	textHaveYouPaid         = text{"支付完成了吗？", "Have you paid?"}
	textHaveYouPaidHint     = text{"请按微信里的实际情况选择", "Choose what happened in WeChat"}
	textHavePaid            = text{"我已完成支付", "I have paid"}
	textCancelOrder         = text{"取消订单", "Cancel order"}
	textCancelTitle         = text{"取消这笔订单？", "Cancel this order?"}
	textCancelHint          = text{"取消后不能再支付这笔订单", "It cannot be paid after that"}
	textCancelYes           = text{"取消订单", "Cancel it"}
	textToPay               = text{"待付款", "To pay"}
	textClosing             = text{"正在取消", "Being cancelled"}
	textClosingHint         = text{"微信会在几分钟内关闭这笔订单。万一已经付款，会显示为已支付", "WeChat closes it within some minutes. Should it have been paid, it will say so"}
	textRefunding           = text{"退款处理中", "Refund under way"}
	textRefunded            = text{"已退款", "Refunded"}
	textRefundDone          = text{"已退回", "Returned"}
	textRefundClosed        = text{"退款已关闭", "Refund closed"}
	textRefundAbnormal      = text{"退款异常，商家正在处理", "Refund held up, the merchant is on it"}
	textRefundFailed        = text{"退款没有成功", "Refund failed"}
	textRefunds             = text{"退款", "Refunds"}
	textTimeline            = text{"订单进度", "History"}
	textNumbers             = text{"订单信息", "Details"}
	textStepCreated         = text{"提交订单", "Ordered"}
	textStepPending         = text{"等待付款", "Waiting for payment"}
	textOrderedAt           = text{"下单时间", "Ordered at"}
	textOrders              = text{"我的订单", "My orders"}
	textDetail              = text{"订单详情", "Order"}
	textNoOrders            = text{"还没有订单", "No orders yet"}
	textNoOrdersHint        = text{"下单后可以在这里查看", "They will appear here"}
	textSignOut             = text{"退出登录", "Sign out"}
	textSignOutHint         = text{"再次打开本店时会重新登录", "You will be signed in again at the next visit"}
	textGuestSignOutHint    = text{"你没有登录微信，退出后将无法再查看这里的订单", "You are a guest: after this you cannot see these orders again"}
	textSignedOut           = text{"已退出登录", "Signed out"}
	textSignedOutHint       = text{"这台设备上不再显示你的订单", "Your orders are no longer shown on this device"}
	textGuest               = text{"访客", "Guest"}
	textUser                = text{"微信用户", "WeChat user"}
	textRequest             = text{"问题编号", "Reference"}
)

// errorAction is the action that an error message offers.
type errorAction int

// The actions.
const (
	actionRetry  errorAction = iota // repeat the call
	actionSignIn                    // start the sign-in again
	actionShop                      // go to the start page
)

// errorText is the page's message for an error.
type errorText struct {
	Title, Hint text
	Action      errorAction
}

var errorTexts = map[api.Code]errorText{
	codeOffline:              {text{"网络不给力", "No connection"}, text{"请检查网络后重试", "Check your network and try again"}, actionRetry},
	codeBadResponse:          {text{"服务暂时不可用", "Not available right now"}, text{"请稍后重试", "Please try again in a moment"}, actionRetry},
	codeBridge:               {text{"没有等到微信支付", "WeChat Pay did not answer"}, text{"请在微信中打开本页后重试", "Open this page in WeChat and try again"}, actionRetry},
	codeSignInDeclined:       {text{"需要登录才能下单", "Sign in to order"}, text{"你拒绝了授权，可以重新登录", "You declined. You can sign in again"}, actionSignIn},
	codeCookies:              {text{"浏览器没有记住登录", "The browser forgot the sign-in"}, text{"请允许本网站使用 Cookie、关闭无痕模式，或在微信聊天中直接打开本店", "Allow cookies for this site, leave private mode, or open the shop from a WeChat chat"}, actionRetry},
	codeNoSession:            {text{"找不到订单", "No such order"}, text{"这个浏览器里没有这笔订单。如果是在微信里下的单，请在微信中打开", "This browser has made no such order. If it was made in WeChat, open it there"}, actionShop},
	codeNoProduct:            {text{"找不到商品", "No such product"}, text{"链接不完整，或商品已下架。请回到首页", "The link is incomplete, or it is no longer for sale. Go back to the shop"}, actionShop},
	codeNoOrder:              {text{"找不到订单", "No such order"}, text{"链接不完整，请回到首页", "The link is incomplete. Go back to the shop"}, actionShop},
	api.CodeSignInLoop:       {text{"登录没有成功", "Could not sign in"}, text{"微信两次都没有认出你，请稍后再试", "WeChat did not recognise you twice. Please try later"}, actionSignIn},
	api.CodeBadRequest:       {text{"请求有误", "Something is wrong with this request"}, text{"请回到首页重新选择", "Go back to the shop and choose again"}, actionShop},
	api.CodeMethodNotAllowed: {text{"请求有误", "Something is wrong with this request"}, text{"页面可能不是最新的，请重试", "The page may be out of date. Please try again"}, actionRetry},
	api.CodeBodyTooLarge:     {text{"商品太多", "Too many items"}, text{"请减少商品后再试", "Take some out and try again"}, actionShop},
	api.CodeContentType:      {text{"请求有误", "Something is wrong with this request"}, text{"页面可能不是最新的，请重试", "The page may be out of date. Please try again"}, actionRetry},
	api.CodeOrderPaid:        {text{"订单已支付", "Already paid"}, text{"不需要再次付款", "There is nothing left to pay"}, actionShop},
	api.CodeForbiddenOrigin:  {text{"链接有误", "Wrong link"}, text{"请从商家提供的入口打开", "Open the shop from the link the merchant gave you"}, actionShop},
	api.CodeNotFound:         {text{"找不到订单", "No such order"}, text{"订单不存在，或不属于当前微信号", "It does not exist, or is not yours"}, actionShop},
	api.CodeUnauthenticated:  {text{"登录已过期", "Your sign-in has expired"}, text{"请重新登录", "Please sign in again"}, actionSignIn},
	api.CodeStateInvalid:     {text{"登录已过期", "Your sign-in has expired"}, text{"请重新登录", "Please sign in again"}, actionSignIn},
	api.CodeCodeUsed:         {text{"登录已过期", "Your sign-in has expired"}, text{"请重新登录", "Please sign in again"}, actionSignIn},
	api.CodeCodeInvalid:      {text{"登录已过期", "Your sign-in has expired"}, text{"请重新登录", "Please sign in again"}, actionSignIn},
	api.CodeSnapshotUser:     {text{"请使用完整服务", "Use the full page"}, text{"当前是快照页，请点击页面下方“使用完整服务”后再试", "This is a snapshot. Tap “Use Full Service” at the foot of the page, then try again"}, actionRetry},
	api.CodeProductGone:      {text{"商品已下架", "No longer for sale"}, text{"请回到首页重新选择", "Go back to the shop and choose again"}, actionShop},
	api.CodeConflict:         {text{"订单已变化", "The order has changed"}, text{"请回到首页重新下单", "Go back to the shop and order again"}, actionShop},
	api.CodeOrderNotPayable:  {text{"订单不能再支付", "This order cannot be paid any more"}, text{"订单已关闭或过期，请重新下单", "It was closed or has expired. Please order again"}, actionShop},
	api.CodeOrderNotPaid:     {text{"订单还没有付款", "This order is not paid"}, text{"没有可以退的钱", "There is nothing to refund"}, actionShop},
	api.CodeRefundTooMuch:    {text{"退款金额过大", "The refund is too large"}, text{"超过了还没有退的金额", "It is more than what is left"}, actionShop},
	api.CodeNotSelling:       {text{"商家暂停收款", "The shop is not taking orders right now"}, text{"没有扣款，请稍后再来", "Nothing was charged. Please come back later"}, actionShop},
	api.CodeRateLimited:      {text{"操作太频繁", "Too many tries"}, text{"请等一分钟再试", "Wait a minute and try again"}, actionRetry},
	api.CodeAddressUnknown:   {text{"这个浏览器暂时不能付款", "This browser cannot pay right now"}, text{"没有扣款。请在微信中打开本店后付款", "Nothing was charged. Open the shop in WeChat and pay there"}, actionShop},
	api.CodeTooManyOrders:    {text{"未付款的订单太多", "Too many unpaid orders"}, text{"请先支付或取消已有的订单，或一小时后再试", "Pay or cancel an order first, or try again in an hour"}, actionShop},
	api.CodeShopFull:         {text{"暂时不能下单", "The shop takes no orders right now"}, text{"请联系商家。已有的订单可以照常支付", "Please contact the merchant. You can still pay the orders that you have"}, actionShop},
	api.CodeWeChatRefused:    {text{"微信支付没有接受", "WeChat Pay said no"}, text{"请联系商家", "Please contact the merchant"}, actionRetry},
	api.CodeWeChatBusy:       {text{"微信支付繁忙", "WeChat Pay is busy"}, text{"没有扣款，请稍后重试", "Nothing was charged. Please try again in a moment"}, actionRetry},
	api.CodeBusy:             {text{"人太多了", "The shop is busy"}, text{"请稍后重试", "Please try again in a moment"}, actionRetry},
	api.CodeMisconfigured:    {text{"商家尚未完成设置", "The shop is not ready yet"}, text{"请联系商家", "Please contact the merchant"}, actionRetry},
	api.CodeInternal:         {text{"服务出错了", "Something went wrong"}, text{"请稍后重试", "Please try again in a moment"}, actionRetry},
}

// errorTextOf returns the message for an error code. Unknown codes get the message for an internal
// error.
func errorTextOf(c api.Code) errorText {
	if t, ok := errorTexts[c]; ok {
		return t
	}
	return errorTexts[api.CodeInternal]
}
