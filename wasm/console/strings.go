package main

import (
	"h5pay/internal/api"
	"h5pay/internal/v1"
)

// Every sentence that the console shows, in every language: see ui.Lang.
var (
	textLanguage      = text{"中文", "English"} // each language's own name
	textConsole       = text{"商户控制台", "Shop console"}
	textMenu          = text{"菜单", "Menu"}
	textToday         = text{"今日", "Today"}
	textOrders        = text{"订单", "Orders"}
	textOrder         = text{"订单详情", "Order"}
	textProducts      = text{"商品", "Products"}
	textEvents        = text{"推送", "Deliveries"}
	textNotifications = text{"微信通知", "Notifications"}
	textBills         = text{"对账", "Bills"}
	textCheck         = text{"检查", "Check"}
	textKeys          = text{"密钥", "Keys"}
	textAudit         = text{"操作记录", "Audit"}
	textMore          = text{"更多", "More"}
	textLoading       = text{"正在加载", "Loading"}
	textRetry         = text{"重试", "Try again"}
	textNotNow        = text{"暂不", "Not now"}
	textSimulated     = text{"模拟支付", "Simulated"}
	textMoreRows      = text{"加载更多", "Load more"}
	textStop          = text{"停止", "Stop"}
	textStopped       = text{"已停止", "Stopped"}
	textExported      = text{"已导出", "Exported"}
	textRows          = text{"行", "rows"}
	textSave          = text{"保存", "Save"}
	textSaved         = text{"已保存", "Saved"}
	textBack          = text{"返回列表", "Back to the list"}
	textAll           = text{"全部", "All"}
	textBadAmount     = text{"金额应为 0.01 元以上，最多两位小数", "Enter an amount of at least 0.01 yuan with at most two decimals"}

	textSignIn     = text{"登录", "Sign in"}
	textSignInHint = text{"用 API 密钥登录，12 小时内有效。能做什么由密钥的权限决定", "Sign in with an API key, for 12 hours. The scopes of the key decide what you may do"}
	textKey        = text{"API 密钥", "API key"}
	textNoKey      = text{"没有密钥？", "No key yet?"}
	textNoKeyHint  = text{"管理员可在“密钥”中创建。第一把密钥用 ADMIN_TOKEN 创建：", "An admin makes keys at “Keys”. The first key is made with ADMIN_TOKEN:"}
	textSignOut    = text{"退出登录", "Sign out"}
	textSignOutAll = text{"在所有设备上退出", "Sign out everywhere"}
	textAccount    = text{"账号", "Account"}
	textSignedInAs = text{"当前登录", "Signed in as"}
	textScopes     = text{"权限", "May"}
	textUntil      = text{"有效期至", "Until"}

	textTaken         = text{"今日收款", "Received today"}
	textYesterday     = text{"昨日", "Yesterday"}
	textPaymentMade   = text{"笔付款", "payment"}
	textPaymentsMade  = text{"笔付款", "payments"}
	textRefundedToday = text{"今日退款", "Refunded today"}
	textRefundMade    = text{"笔退款", "refund"}
	textRefundsMade   = text{"笔退款", "refunds"}
	textByHour        = text{"按小时", "By hour"}
	textByDay         = text{"近 30 天", "Last 30 days"}
	textNoTakings     = text{"还没有收款", "No payments yet"}
	textTable         = text{"数字", "Figures"}
	textTime          = text{"时间", "Time"}
	textAmount        = text{"金额", "Amount"}
	textWaiting       = text{"进行中", "In progress"}
	textOpenOrders    = text{"待付款订单", "Orders awaiting payment"}
	textOpenRefunds   = text{"处理中的退款", "Refunds in progress"}
	textPending       = text{"待推送", "Deliveries pending"}
	textWrong         = text{"需要处理", "Needs attention"}
	textAllWell       = text{"一切正常", "No problems"}
	textRepair        = text{"去处理", "Repair"}

	textSearch        = text{"任意单号", "Any number"}
	textSearchHint    = text{"订单号、后台单号、微信支付单号（付款凭证上的交易单号）、商户单号、退款单号", "Order, reference, WeChat Pay transaction (on the payer's receipt), refund"}
	textFind          = text{"查找", "Find"}
	textStatus        = text{"状态", "Status"}
	textSource        = text{"来源", "Source"}
	textFrom          = text{"开始日期", "From"}
	textTo            = text{"结束日期", "To"}
	textNoOrders      = text{"没有订单", "No orders"}
	textNoOrdersHint  = text{"换个条件试试，或等待第一笔订单", "Try other filters, or wait for the first order"}
	textNoSuchOrder   = text{"没有这个单号的订单", "No order has this number"}
	textNoSuchHint    = text{"请核对单号，并清除其他条件", "Check the number, and clear the other filters"}
	textExportOrders  = text{"导出订单", "Export orders"}
	textExportRefunds = text{"导出退款", "Export refunds"}
	textShopSource    = text{"店铺", "Shop"}
	textAPISource     = text{"接口", "API"}
	textLinkSource    = text{"收款链接", "Payment link"}

	textOpen      = text{"待付款", "Open"}
	textPaid      = text{"已付款", "Paid"}
	textClosing   = text{"关闭中", "Closing"}
	textClosed    = text{"已关闭", "Closed"}
	textRefunding = text{"退款中", "Refunding"}
	textRefunded  = text{"已退款", "Refunded"}

	textFacts        = text{"订单信息", "Order"}
	textOrderNo      = text{"订单号", "Order ID"}
	textReference    = text{"后台单号", "Reference"}
	textDescription  = text{"说明", "Description"}
	textBackTotal    = text{"已退", "Refunded"}
	textCreated      = text{"下单时间", "Ordered at"}
	textExpires      = text{"付款截止", "Payable until"}
	textPaidAt       = text{"付款时间", "Paid at"}
	textCustomerURL  = text{"付款链接", "Customer's URL"}
	textCopy         = text{"复制", "Copy"}
	textCopied       = text{"已复制", "Copied"}
	textNotCopied    = text{"复制失败", "Could not copy"}
	textPayments     = text{"付款", "Payments"}
	textOutTradeNo   = text{"商户单号", "out_trade_no"}
	textTransaction  = text{"微信支付单号", "WeChat Pay transaction"}
	textTradeType    = text{"支付方式", "Trade type"}
	textPayer        = text{"付款人", "Payer"}
	textDuplicate    = text{"重复付款", "Paid twice"}
	textFailure      = text{"微信拒绝原因", "WeChat declined"}
	textSteps        = text{"订单进度", "Steps"}
	textRefunds      = text{"退款", "Refunds"}
	textNoRefunds    = text{"没有退款", "No refunds"}
	textReason       = text{"原因", "Reason"}
	textRefundNo     = text{"退款单号", "Refund ID"}
	textWeChatRefund = text{"微信退款单号", "WeChat's refund ID"}
	textAdvice       = text{"处理办法", "What to do"}
	textRequested    = text{"申请时间", "Requested at"}
	textEnded        = text{"结束时间", "Ended at"}
	textRefund       = text{"退款", "Refund"}
	textRefundAll    = text{"填入全部", "All of it"}
	textRefundAmount = text{"退款金额（元）", "Amount in yuan"}
	textRefundReason = text{"退款原因（用户可见）", "Reason (the payer sees it)"}
	textRefundTitle  = text{"确定退款？", "Refund this?"}
	textRefundSent   = text{"退款已提交", "The refund is submitted"}
	textLeft         = text{"可退", "Refundable"}
	textFromBalance  = text{"从可用余额退款", "Take it from the available balance"}
	textClose        = text{"关闭订单", "Close the order"}
	textCloseTitle   = text{"确定关闭订单？", "Close this order?"}
	textCloseHint    = text{"关闭后无法再付款", "It can no longer be paid"}
	textCloseDone    = text{"订单已关闭", "The order is closed"}
	textSync         = text{"向微信查询", "Query WeChat"}
	textSynced       = text{"已与微信支付核对", "Compared with WeChat Pay"}
	textDeliveries   = text{"推送记录", "Deliveries"}
	textNoDeliveries = text{"还没有推送", "No deliveries yet"}
	textMetadata     = text{"附加数据", "Metadata"}
	textReturnURL    = text{"付款后返回", "Return URL"}

	textRefundCreated    = text{"已提交", "Created"}
	textRefundProcessing = text{"处理中", "Processing"}
	textRefundSucceeded  = text{"退款成功", "Succeeded"}
	textRefundClosed     = text{"退款关闭", "Closed"}
	textRefundAbnormal   = text{"退款异常", "Abnormal"}
	textRefundFailed     = text{"退款失败", "Failed"}

	textPaymentCreated = text{"已创建", "Created"}
	textPaymentPending = text{"等待付款", "Pending"}
	textPaymentFailed  = text{"微信未受理", "Declined"}

	textNoScopeHint = text{"您的密钥没有这项权限，请让管理员为您创建有权限的密钥", "Your key lacks this permission. Ask an admin for a key that has it"}
)

// statusText is the name of a status, and whether it is good, bad, waiting or off.
type statusText struct {
	name text
	kind string
}

var orderStatuses = map[v1.OrderStatus]statusText{
	v1.OrderOpen: {textOpen, "wait"}, v1.OrderPaid: {textPaid, "good"}, v1.OrderClosing: {textClosing, "off"}, v1.OrderClosed: {textClosed, "off"},
	v1.OrderRefunding: {textRefunding, "wait"}, v1.OrderRefunded: {textRefunded, "off"},
}

var paymentStatuses = map[v1.PaymentStatus]statusText{
	v1.PaymentCreated: {textPaymentCreated, "wait"}, v1.PaymentPending: {textPaymentPending, "wait"}, v1.PaymentPaid: {textPaid, "good"},
	v1.PaymentClosing: {textClosing, "off"}, v1.PaymentClosed: {textClosed, "off"}, v1.PaymentFailed: {textPaymentFailed, "bad"},
}

var refundStatuses = map[v1.RefundStatus]statusText{
	api.RefundCreated: {textRefundCreated, "wait"}, api.RefundProcessing: {textRefundProcessing, "wait"}, api.RefundSucceeded: {textRefundSucceeded, "good"},
	api.RefundClosed: {textRefundClosed, "off"}, api.RefundAbnormal: {textRefundAbnormal, "bad"}, api.RefundFailed: {textRefundFailed, "bad"},
}

var sources = map[v1.Source]text{v1.SourceShop: textShopSource, v1.SourceAPI: textAPISource, v1.SourceLink: textLinkSource}

// errorTexts are the texts for error codes.
var errorTexts = map[api.Code]text{
	codeOffline:             {"网络不稳定，请检查网络后重试", "No connection. Check your network and try again"},
	codeBadResponse:         {"服务暂时不可用，请稍后重试", "The shop does not answer. Try again in a moment"},
	codeBadPhoto:            textBadPhoto,
	api.CodeBadRequest:      {"输入有误", "Something that you entered is wrong"},
	api.CodeNotFound:        {"找不到", "Not found"},
	api.CodeUnauthenticated: {"密钥无效，或登录已过期", "The key is not valid, or your sign-in has ended"},
	api.CodeForbiddenOrigin: {"请从商户自己的域名打开控制台", "Open the console at the shop's own domain"},
	api.CodeOrderPaid:       {"订单已付款，不能关闭", "The order is paid and cannot be closed"},
	api.CodeOrderNotPaid:    {"订单未付款，没有可退金额", "The order is not paid: there is nothing to refund"},
	api.CodeRefundTooMuch:   {"超过了可退金额", "That is more than can be refunded"},
	api.CodeRateLimited:     {"操作太频繁，请一分钟后再试", "Too many calls. Wait a minute and try again"},
	api.CodeWeChatDeclined:  {"微信支付未受理", "WeChat Pay declined it"},
	api.CodeWeChatBusy:      {"微信支付繁忙，请稍后重试", "WeChat Pay is busy. Try again in a moment"},
	api.CodeBusy:            {"正在处理中，请稍后重试", "It is being processed. Try again in a moment"},
	api.CodeOverloaded:      {"系统繁忙，请稍后重试", "The shop is busy. Try again in a moment"},
	api.CodeMisconfigured:   {"店铺尚未配置完成，日志中有原因", "The shop is not set up: its log says what is missing"},
	api.CodeInternal:        {"服务出错，日志中有编号对应的记录", "Something went wrong. The log has the line of this reference"},
	v1.CodeScopeMissing:     {"没有权限", "No permission"},
	api.CodeShopFull:        {"数据库空间不足，暂时不能新建", "The database is full: nothing new can be made"},
	v1.CodeFull:             {"数量已达上限", "The shop has as many of these as it may"},
	v1.CodeNoStock:          {"库存不够，请刷新后再看", "There are fewer pieces than that: look at the stock again"},
	v1.CodeOfSettings:       {"它的网址和密钥在配置中", "Its URL and its secret are settings of the shop"},
	api.CodeConflict:        {"状态已变，请刷新后再看", "It has changed meanwhile: look at it again"},
	v1.CodeSecondPerson:     {"需要另一位同事确认", "Another operator has to confirm it"},
	v1.CodeIdempotency:      {"请重新操作", "Please do it again"},
}
