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
	textChooseProducts      = text{"请选择商品", "Add products"}
	textTotal               = text{"合计", "Total"}
	textPay                 = text{"微信支付", "Pay with WeChat"}
	textPaying              = text{"正在打开微信支付", "Opening WeChat Pay"}
	textCancelled           = text{"支付已取消，可重新支付", "Payment cancelled. You can pay again"}
	textPayFailed           = text{"支付失败，请重新支付", "The payment failed. You can try again"}
	textPayUnknown          = text{"微信支付未收到付款，请重新支付", "WeChat Pay has not received a payment. You can pay again"}
	textAmount              = text{"支付金额", "Amount"}
	textConfirming          = text{"正在确认支付结果", "Confirming the payment"}
	textConfirmHint         = text{"请稍候，以微信支付确认的结果为准", "One moment. We are waiting for WeChat Pay to confirm"}
	textStillConfirming     = text{"支付结果确认中", "Still confirming"}
	textStillConfirmingHint = text{"微信支付尚未返回结果。如已付款请放心，可稍后再查", "WeChat Pay has not confirmed the payment yet. If you have paid, your money is safe. Check again in a moment"}
	textPaid                = text{"支付成功", "Paid"}
	textClosed              = text{"订单已关闭", "Order closed"}
	textClosedHint          = text{"订单未支付，您可以重新下单", "Nothing was paid. You can order again"}
	textPaidTwice           = text{"您重复付款了，多付的一笔正在全额退款", "You paid twice. All of the second payment is being refunded"}
	textPaidTwiceDone       = text{"您重复付款了，多付的一笔已全额退款", "You paid twice. All of the second payment was refunded"}
	textPaidTwiceTrouble    = text{"您重复付款了，多付的一笔由商户处理退款", "You paid twice. The merchant is handling the refund of the second payment"}
	textCheckAgain          = text{"重新查询", "Check again"}
	textBackToPay           = text{"返回支付", "Back to payment"}
	textShop                = text{"返回首页", "Back to the shop"}
	textRetry               = text{"重试", "Try again"}
	textSignIn              = text{"重新登录", "Sign in again"}
	textPaidAt              = text{"支付时间", "Paid at"}
	textNotKnownYet         = text{"待微信支付确认", "Not known yet"}
	textPaymentNo           = text{"微信支付单号", "WeChat Pay transaction"}
	textOrderNo             = text{"订单号", "Order number"}
	textEmpty               = text{"暂无商品", "No products yet"}
	textSoldOut             = text{"请稍后再来", "Check back later"}
	textOutside             = text{"请在微信中打开", "Open in WeChat"}
	textOutsideHint         = text{"请在微信中打开本页付款", "To pay, open this page in WeChat"}
	textWorkHint            = text{"企业微信内无法付款，请用微信打开本页", "You cannot pay in WeCom. Open this page in WeChat"}
	textMiniHint            = text{"小程序内的网页无法付款，请复制链接后在微信聊天中打开", "You cannot pay inside a mini program. Copy the link and open it from a WeChat chat"}
	textYuan                = text{"元", "yuan"}
	textCopy                = text{"复制链接", "Copy link"}
	textCopied              = text{"链接已复制，请在微信中打开", "Link copied. Open it in WeChat"}
	textNotCopied           = text{"复制失败，请手动复制地址栏的链接", "Could not copy. Please copy the link from the address bar"}
	textBasket              = text{"购物车", "Basket"}
	textClear               = text{"清空", "Clear"}
	textClose               = text{"收起", "Close"}
	textNotNow              = text{"暂不", "Not now"}
	textEnterAmount         = text{"输入金额", "Enter an amount"}
	textAmountTitle         = text{"付款", "Pay"}
	textWithin              = text{"可付金额", "Allowed amount"}
	textPayNow              = text{"付款", "Pay"}
	textPoint               = text{"小数点", "Decimal point"}
	textBackspace           = text{"退格", "Delete"}
	textPad                 = text{"数字键盘", "Number pad"}
	textSlow                = text{"没有看到支付窗口，或已完成付款？", "No payment window, or already paid?"}
	textPayAgain            = text{"重新支付", "Pay again"}
	textCheckResult         = text{"我已付款，查询结果", "I have paid. Check the result"}
	textScan                = text{"请用微信“扫一扫”付款", "Scan with WeChat to pay"}
	textScanOther           = text{"请用另一部手机的微信“扫一扫”付款", "Scan with WeChat on another phone to pay"}
	textCode                = text{"微信支付二维码", "WeChat Pay QR code"}
	textAutoResult          = text{"付款后将自动显示结果", "The result will appear here after you pay"}
	textPhoneHint           = text{"也可以复制链接，在微信中打开本店", "You can also copy the link and open the shop in WeChat"}
	textHaveYouPaid         = text{"是否已完成支付？", "Have you paid?"}
	textHaveYouPaidHint     = text{"请根据实际支付情况选择", "Choose what happened in WeChat"}
	textHavePaid            = text{"我已完成支付", "I have paid"}
	textCancelOrder         = text{"取消订单", "Cancel order"}
	textCancelTitle         = text{"确定取消订单？", "Cancel this order?"}
	textCancelHint          = text{"取消后将无法支付该订单", "You cannot pay for it afterwards"}
	textCancelYes           = text{"取消订单", "Cancel order"}
	textToPay               = text{"待付款", "Awaiting payment"}
	textClosing             = text{"订单取消中", "Cancelling"}
	textClosingHint         = text{"微信支付将在几分钟内关闭该订单。如您已付款，订单会显示为支付成功", "WeChat Pay will close the order in a few minutes. If you have already paid, it will be shown as paid"}
	textRefunding           = text{"退款处理中", "Refund in progress"}
	textRefunded            = text{"已退款", "Refunded"}
	textRefundDone          = text{"退款成功", "Refunded"}
	textRefundClosed        = text{"退款已关闭", "Refund closed"}
	textRefundAbnormal      = text{"退款异常，商家正在处理", "Refund problem. The merchant is handling it"}
	textRefundFailed        = text{"退款失败", "Refund failed"}
	textRefunds             = text{"退款", "Refunds"}
	textTimeline            = text{"订单进度", "History"}
	textNumbers             = text{"订单信息", "Order information"}
	textStepOpen            = text{"提交订单", "Ordered"}
	textOrderedAt           = text{"下单时间", "Ordered at"}
	textOrders              = text{"我的订单", "My orders"}
	textDetail              = text{"订单详情", "Order details"}
	textNoOrders            = text{"暂无订单", "No orders yet"}
	textNoOrdersHint        = text{"下单后可在此查看", "Your orders will appear here"}
	textSignOut             = text{"退出登录", "Sign out"}
	textSignOutHint         = text{"再次打开本店时将重新登录", "You will be signed in again on your next visit"}
	textGuestSignOutHint    = text{"您未登录微信，退出后将无法再查看这些订单", "You are a guest. After signing out you cannot see these orders again"}
	textSignedOut           = text{"已退出登录", "Signed out"}
	textSignedOutHint       = text{"本设备不再显示您的订单", "This device no longer shows your orders"}
	textGuest               = text{"访客", "Guest"}
	textUser                = text{"微信用户", "WeChat user"}
	textCustomerTitle       = text{"付款", "Payment"}
	textLinkTitle           = text{"收款项目", "For"}
	textLinkWithdrawn       = text{"收款链接已停用", "This payment link was withdrawn"}
	textLinkExpired         = text{"收款链接已过期", "This payment link has expired"}
	textLinkSoldOut         = text{"已售完", "Sold out"}
	textLinkHint            = text{"如需付款，请联系商家", "To pay, ask the merchant"}
	textLinkSoldOutHint     = text{"未付款的订单会释放名额，可稍后再试", "Orders that are not paid free their places. You can try again later"}
	textPayTo               = text{"付款给", "Pay"}
	textPayBefore           = text{"付款截止时间", "Pay before"}
	textRemark              = text{"说明", "Description"}
	textAlreadyPaid         = text{"订单已支付", "Already paid"}
	textPaidByOther         = text{"订单已由他人支付", "Somebody else has paid"}
	textPaidByOtherHint     = text{"无需再付款。如果您也付了款，您的付款会全额退回", "You do not need to pay. If you have paid as well, all of your payment is refunded"}
	textExpired             = text{"订单已过期", "Order expired"}
	textAskMerchant         = text{"订单未支付。如需付款，请联系商家重新发送链接", "Nothing was paid. To pay, ask the merchant for a new link"}
	textReturn              = text{"返回商家", "Return to the merchant"}
	textCopyHint            = text{"也可以复制链接，在微信中打开付款", "You can also copy the link and pay in WeChat"}
	textRequest             = text{"错误编号", "Error reference"}
)

// errorAction is the action that an error message offers.
type errorAction int

// The actions.
const (
	actionRetry  errorAction = iota // repeat the call
	actionSignIn                    // start the sign-in again
	actionShop                      // go to the start page
	actionNone                      // there is nothing to do here
)

// errorText is the page's message for an error.
type errorText struct {
	Title, Hint text
	Action      errorAction
}

var errorTexts = map[api.Code]errorText{
	codeOffline:              {text{"网络不稳定", "No connection"}, text{"请检查网络后重试", "Check your network and try again"}, actionRetry},
	codeBadResponse:          {text{"服务暂时不可用", "The shop is unavailable"}, text{"请稍后重试", "Please try again in a moment"}, actionRetry},
	codeBridge:               {text{"未检测到微信支付环境", "WeChat Pay is not available here"}, text{"请在微信中打开本页后重试", "Open this page in WeChat and try again"}, actionRetry},
	codeSignInDeclined:       {text{"需要登录后下单", "Sign in to order"}, text{"您拒绝了授权，可以重新登录", "You declined the sign-in. You can sign in again"}, actionSignIn},
	codeCookies:              {text{"无法保持登录状态", "The browser did not keep your sign-in"}, text{"请允许本网站使用 Cookie 并关闭无痕模式，或在微信聊天中打开本店", "Allow cookies for this site, leave private mode, or open the shop from a WeChat chat"}, actionRetry},
	codeNoSession:            {text{"找不到订单", "Order not found"}, text{"本浏览器没有该订单。如在微信中下单，请在微信中打开", "This browser has no such order. If you ordered in WeChat, open it there"}, actionShop},
	codeNoProduct:            {text{"找不到商品", "Product not found"}, text{"链接不完整或商品已下架，请返回首页", "The link is incomplete, or the product is no longer for sale. Go back to the shop"}, actionShop},
	codeNoOrder:              {text{"找不到订单", "Order not found"}, text{"链接不完整，请返回首页", "The link is incomplete. Go back to the shop"}, actionShop},
	codeNoLink:               {text{"链接无效", "This link is not valid"}, text{"链接不完整，或订单已删除，请联系商家", "It is incomplete, or the order was deleted. Ask the merchant"}, actionNone},
	api.CodeSignInLoop:       {text{"登录失败", "Sign-in failed"}, text{"微信登录未完成，请稍后再试", "WeChat sign-in failed twice. Please try again later"}, actionSignIn},
	api.CodeBadRequest:       {text{"请求有误", "The request is invalid"}, text{"请返回首页重新选择", "Go back to the shop and choose again"}, actionShop},
	api.CodeMethodNotAllowed: {text{"请求有误", "The request is invalid"}, text{"页面可能不是最新版本，请重试", "The page may be out of date. Please try again"}, actionRetry},
	api.CodeBodyTooLarge:     {text{"商品过多", "Too many items"}, text{"请减少商品后重试", "Remove some items and try again"}, actionShop},
	api.CodeContentType:      {text{"请求有误", "The request is invalid"}, text{"页面可能不是最新版本，请重试", "The page may be out of date. Please try again"}, actionRetry},
	api.CodeOrderPaid:        {text{"订单已支付", "Already paid"}, text{"无需再次付款", "You do not need to pay again"}, actionShop},
	api.CodeForbiddenOrigin:  {text{"链接有误", "Wrong link"}, text{"请从商家提供的入口打开", "Open the shop from the link that the merchant gave you"}, actionShop},
	api.CodeNotFound:         {text{"找不到订单", "Order not found"}, text{"订单不存在，或不属于当前微信号", "The order does not exist, or it belongs to another user"}, actionShop},
	api.CodeUnauthenticated:  {text{"登录已过期", "Your sign-in has expired"}, text{"请重新登录", "Please sign in again"}, actionSignIn},
	api.CodeStateInvalid:     {text{"登录已过期", "Your sign-in has expired"}, text{"请重新登录", "Please sign in again"}, actionSignIn},
	api.CodeCodeUsed:         {text{"登录已过期", "Your sign-in has expired"}, text{"请重新登录", "Please sign in again"}, actionSignIn},
	api.CodeCodeInvalid:      {text{"登录已过期", "Your sign-in has expired"}, text{"请重新登录", "Please sign in again"}, actionSignIn},
	api.CodeSnapshotUser:     {text{"请使用完整服务", "Use the full page"}, text{"当前是快照页，请点击页面下方“使用完整服务”后再试", "This is a snapshot. Tap “Use Full Service” at the foot of the page, then try again"}, actionRetry},
	api.CodeProductGone:      {text{"商品已下架", "No longer for sale"}, text{"请返回首页重新选择", "Go back to the shop and choose again"}, actionShop},
	api.CodeOutOfStock:       {text{"库存不足", "Not enough left"}, text{"您没有被扣款，请查看现有件数后再下单", "Nothing was charged. Look at what is left and order again"}, actionRetry},
	api.CodeLinkEnded:        {text{"收款链接已停用", "This payment link has ended"}, text{"如需付款，请联系商家", "To pay, ask the merchant"}, actionNone},
	api.CodePriceChanged:     {text{"价格已更新", "The prices have changed"}, text{"您没有被扣款，请查看新价格后再下单", "Nothing was charged. Look at the new prices and order again"}, actionRetry},
	api.CodeConflict:         {text{"订单已变更", "The order has changed"}, text{"请返回首页重新下单", "Go back to the shop and order again"}, actionShop},
	api.CodeOrderNotPayable:  {text{"订单无法支付", "This order cannot be paid"}, text{"订单已关闭或已过期，请重新下单", "It is closed or has expired. Please order again"}, actionShop},
	api.CodeOrderNotPaid:     {text{"订单未支付", "This order is not paid"}, text{"没有可退金额", "There is nothing to refund"}, actionShop},
	api.CodeRefundTooMuch:    {text{"退款金额过大", "The refund is too large"}, text{"超过了剩余可退金额", "It is more than the refundable amount"}, actionShop},
	api.CodeNotSelling:       {text{"商家暂停收款", "The shop is not taking payments right now"}, text{"您没有被扣款，请稍后再来", "Nothing was charged. Please come back later"}, actionShop},
	api.CodeRateLimited:      {text{"操作太频繁", "Too many attempts"}, text{"请一分钟后再试", "Wait a minute and try again"}, actionRetry},
	api.CodeAddressUnknown:   {text{"本浏览器暂时无法付款", "This browser cannot pay right now"}, text{"您没有被扣款，请在微信中打开本店付款", "Nothing was charged. Open the shop in WeChat to pay"}, actionShop},
	api.CodeTooManyPayments:  {text{"这笔订单已在多处打开", "This order is open in several places"}, text{"请在先打开的地方付款，或稍后再试。仍不行请商家重新下单", "Pay where it was opened first, or try again later. If that fails, ask the shop for another order"}, actionRetry},
	api.CodeTooManyOrders:    {text{"待付款订单过多", "Too many unpaid orders"}, text{"请先支付或取消已有订单，或一小时后再试", "Pay or cancel an order first, or try again in an hour"}, actionShop},
	api.CodeShopFull:         {text{"暂时无法下单", "The shop cannot take new orders right now"}, text{"请联系商家。已有订单可正常支付", "Please contact the merchant. You can still pay your existing orders"}, actionShop},
	api.CodeWeChatDeclined:   {text{"微信支付未受理", "WeChat Pay declined the order"}, text{"请联系商家", "Please contact the merchant"}, actionRetry},
	api.CodeWeChatBusy:       {text{"微信支付繁忙", "WeChat Pay is busy"}, text{"您没有被扣款，请稍后重试", "Nothing was charged. Please try again in a moment"}, actionRetry},
	api.CodeBusy:             {text{"订单处理中", "The order is being processed"}, text{"请稍后重试", "Please try again in a moment"}, actionRetry},
	api.CodeOverloaded:       {text{"系统繁忙", "The shop is busy"}, text{"请稍后重试", "Please try again in a moment"}, actionRetry},
	api.CodeMisconfigured:    {text{"店铺尚未开通", "The shop is not set up yet"}, text{"请联系商家", "Please contact the merchant"}, actionRetry},
	api.CodeInternal:         {text{"服务出错", "Something went wrong"}, text{"请稍后重试", "Please try again in a moment"}, actionRetry},
}

// errorTextOf returns the message for an error code. Unknown codes get the message for an internal
// error.
func errorTextOf(c api.Code) errorText {
	if t, ok := errorTexts[c]; ok {
		return t
	}
	return errorTexts[api.CodeInternal]
}
