package wechat

// Menus, where a merchant changes a setting (docs/wechat.md 17.1 and 17.6). The
// platforms show them in Chinese only.
var (
	menuSecurity = Text{"商户平台 > 账户中心 > API安全", "merchant platform > 账户中心 > API安全 (account, API security)"}
	menuCert     = Text{"商户平台 > 账户中心 > API安全 > 商户API证书 > 管理证书", "merchant platform > 账户中心 > API安全 > 商户API证书 > 管理证书 (account, API security, merchant API certificate)"}
	menuPubKey   = Text{"商户平台 > 账户中心 > API安全 > 微信支付公钥", "merchant platform > 账户中心 > API安全 > 微信支付公钥 (account, API security, WeChat Pay public key)"}
	menuProduct  = Text{"商户平台 > 产品中心", "merchant platform > 产品中心 (products)"}
	menuDevelop  = Text{"商户平台 > 产品中心 > 开发配置", "merchant platform > 产品中心 > 开发配置 (products, development settings)"}
	menuAppID    = Text{"商户平台 > 产品中心 > APPID账号管理", "merchant platform > 产品中心 > APPID账号管理 (products, appids)"}
	menuTrades   = Text{"商户平台 > 交易中心 > 交易管理", "merchant platform > 交易中心 > 交易管理 (trades)"}
	menuMoney    = Text{"商户平台 > 交易中心 > 资金管理", "merchant platform > 交易中心 > 资金管理 (funds)"}
	menuPenalty  = Text{"商户平台 > 账户中心 > 消息 > 违约记录", "merchant platform > 账户中心 > 消息 > 违约记录 (account, messages, penalties)"}
	menuAccount  = Text{"公众平台 > 设置与开发", "console of the service account > 设置与开发 (settings and development)"}
	menuDomain   = Text{"公众平台 > 公众号设置 > 功能设置 > 网页授权域名", "console of the service account > 公众号设置 > 功能设置 > 网页授权域名 (settings, web-authorization domain)"}
)

// The advice that several codes share.
var (
	adviceRetry   = Text{"稍后用相同参数重新调用", "Make the same call again, later."}
	adviceSlow    = Text{"降低调用频率，稍后用相同参数重新调用", "Call less often. Make the same call again, later."}
	adviceProgram = Text{"按接口文档修改程序", "Correct the program as the documentation of the call says."}
	adviceSignIn  = Text{"让用户重新授权", "Start the sign-in again."}
	adviceQuery   = Text{"先查询订单，以查询结果为准", "Query the order. What the query says counts."}
	adviceNumber  = Text{"换一个新的商户订单号重新下单", "Place the order again under a new out_trade_no."}
	advicePayer   = Text{"请付款人换一种付款方式", "Ask the payer to pay in another way."}
	adviceOther   = Text{"以其他方式把钱退给付款人", "Pay the money back by other means."}
	adviceRead    = Text{"看返回的文字说明，按说明处理", "Read the message of WeChat's response and do what it says."}
)

// row is the verdict of a code, in its newer spelling. A row with an op is about that call alone
// and comes before the one that is about all others. With pointers the table is plain data. With
// copies, the program would have to fill it at each start of a Worker.
type row struct {
	code, op string
	kind     Kind
	cause    Text
	advice   *Text
	menu     *Text // nil for none
}

// rows hold every code of docs/wechat.md 13.2 and the sections after it.
var rows = [...]row{
	// 13.2: the authorize page, which shows them to the user.
	{"10003", "", Operator, Text{"redirect_uri 的域名不是网页授权域名", "The host of redirect_uri is not the web-authorization domain."}, &Text{"把网页授权域名改成店铺的域名", "Set the web-authorization domain to the host of the shop."}, &menuDomain},
	{"10004", "", Operator, Text{"公众号被封禁", "The service account is banned."}, &Text{"到公众平台处理封禁", "Settle the ban at the console of the account."}, &menuAccount},
	{"10005", "", Operator, Text{"公众号没有该 scope 的权限", "The service account lacks this scope."}, &Text{"用已认证的服务号", "Use a certified service account."}, &menuAccount},
	{"10006", "", Declined, Text{"须先关注此测试号", "The user must follow this test account."}, &Text{"关注后重试", "Follow the account, then try again."}, nil},
	{"10009", "", Retry, Text{"操作太频繁", "There were too many tries."}, &adviceRetry, nil},
	{"10010", "", Developer, Text{"scope 为空", "scope is empty."}, &adviceProgram, nil},
	{"10011", "", Developer, Text{"redirect_uri 为空", "redirect_uri is empty."}, &adviceProgram, nil},
	{"10012", "", Developer, Text{"appid 为空", "appid is empty."}, &adviceProgram, nil},
	{"10013", "", Developer, Text{"state 为空", "state is empty."}, &adviceProgram, nil},
	{"10015", "", Operator, Text{"公众号未授权给第三方平台", "The account has not authorized the third-party platform."}, &Text{"在公众平台完成授权", "Authorize it at the console of the account."}, &menuAccount},
	{"10016", "", Developer, Text{"用了开放平台的 appid", "The appid is one of the Open Platform."}, &Text{"改用服务号的 appid", "Use the appid of the service account."}, &menuAccount},

	// 13.3: web authorization.
	{"-1", "", Retry, Text{"微信系统繁忙，code 可能已被用掉", "WeChat is busy. The code may be used up."}, &adviceRetry, nil},
	{"40001", opUserInfo, Restart, Text{"access_token 失效", "The access_token is no longer valid."}, &adviceSignIn, nil},
	{"40001", "", Operator, Text{"AppSecret 错误", "The AppSecret is wrong."}, &Text{"填写该 appid 现在的 AppSecret", "Set the present AppSecret of the appid."}, &menuAccount},
	{"40002", "", Developer, Text{"grant_type 错误", "grant_type is wrong."}, &adviceProgram, nil},
	{"40003", "", Developer, Text{"openid 不属于该 appid", "The openid is not of this appid."}, &Text{"用同一个 appid 取得的 openid", "Use an openid that the same appid got."}, nil},
	{"40013", "", Operator, Text{"appid 无效", "The appid is invalid."}, &Text{"核对 appid", "Compare the appid with the console of the account."}, &menuAccount},
	{"40014", "", Restart, Text{"access_token 无效", "The access_token is invalid."}, &adviceSignIn, nil},
	{"40029", "", Restart, Text{"code 无效或过期", "The code is invalid or expired."}, &adviceSignIn, nil},
	{"40030", "", Restart, Text{"refresh_token 无效", "The refresh_token is invalid."}, &adviceSignIn, nil},
	{"40125", "", Operator, Text{"AppSecret 无效", "The AppSecret is invalid."}, &Text{"填写该 appid 现在的 AppSecret", "Set the present AppSecret of the appid."}, &menuAccount},
	{"40163", "", Restart, Text{"code 已被使用", "The code was used before."}, &adviceSignIn, nil},
	{"40164", "", Operator, Text{"调用 IP 不在白名单", "The address of the server is not in the list of the account."}, &Text{"把服务器的 IP 加入白名单，或清空白名单", "Add the address to the list, or empty the list."}, &menuAccount},
	{"40226", "", Declined, Text{"高风险用户", "The user is high risk."}, &Text{"该用户不能登录", "This user cannot sign in."}, nil},
	{"40243", "", Operator, Text{"AppSecret 已冻结", "The AppSecret is frozen."}, &Text{"解冻 AppSecret", "Unfreeze the AppSecret."}, &menuAccount},
	{"41001", "", Developer, Text{"缺少 access_token", "access_token is missing."}, &adviceProgram, nil},
	{"41002", "", Developer, Text{"缺少 appid", "appid is missing."}, &adviceProgram, nil},
	{"41003", "", Developer, Text{"缺少 refresh_token", "refresh_token is missing."}, &adviceProgram, nil},
	{"41004", "", Developer, Text{"缺少 secret", "secret is missing."}, &adviceProgram, nil},
	{"41008", "", Restart, Text{"缺少 code：用户拒绝，或直接打开了回调地址", "code is missing: the user declined, or opened the address by hand."}, &adviceSignIn, nil},
	{"41009", "", Developer, Text{"缺少 openid", "openid is missing."}, &adviceProgram, nil},
	{"42001", "", Restart, Text{"access_token 过期", "The access_token expired."}, &adviceSignIn, nil},
	{"42002", "", Restart, Text{"refresh_token 过期", "The refresh_token expired."}, &adviceSignIn, nil},
	{"42003", "", Restart, Text{"code 过期", "The code expired."}, &adviceSignIn, nil},
	{"42007", "", Restart, Text{"用户修改了密码", "The user changed the password."}, &adviceSignIn, nil},
	{"43001", "", Developer, Text{"需要 GET", "The call wants GET."}, &adviceProgram, nil},
	{"43002", "", Developer, Text{"需要 POST", "The call wants POST."}, &adviceProgram, nil},
	{"43003", "", Developer, Text{"需要 HTTPS", "The call wants HTTPS."}, &adviceProgram, nil},
	{"45009", "", Operator, Text{"当日配额用完", "The quota of the day is used up."}, &Text{"清零或提高配额，或等到第二天", "Reset or raise the quota, or wait for the next day."}, &menuAccount},
	{"45011", "", Retry, Text{"每分钟调用太频繁", "There are too many calls in a minute."}, &adviceSlow, nil},
	{"48001", "", Operator, Text{"接口未授权", "The account may not make this call."}, &Text{"用已认证的服务号，并开通网页授权", "Use a certified service account that has web authorization."}, &menuAccount},
	{"48004", "", Operator, Text{"接口被封禁", "The call is banned for the account."}, &Text{"到公众平台处理封禁", "Settle the ban at the console of the account."}, &menuAccount},
	{"50001", "", Declined, Text{"用户未授权该接口", "The user did not authorize the call."}, &Text{"请用户重新授权", "Ask the user to authorize it."}, nil},
	{"50002", "", Declined, Text{"用户受限", "The user is restricted."}, &Text{"该用户不能登录", "This user cannot sign in."}, nil},

	// 13.4 and 13.10: merchant calls of both versions.
	{"SYSTEM_ERROR", "", Retry, Text{"微信系统超时。反复出现时，检查商户号、证书序列号与私钥是否匹配", "WeChat timed out. If it goes on: merchant number, serial and private key may not belong together."}, &adviceRetry, nil},
	{"SERVICE_UNAVAILABLE", "", Retry, Text{"微信网关暂时不可用", "WeChat's gateway is not available."}, &adviceRetry, nil},
	{"BIZERR_NEED_RETRY", "", Retry, Text{"微信要求重试", "WeChat requires the same call again."}, &adviceRetry, nil},
	{"BANK_ERROR", "", Retry, Text{"银行系统异常", "The bank's system failed."}, &adviceRetry, nil},
	{"USERPAYING", "", Retry, Text{"用户支付中", "The user is paying."}, &adviceQuery, nil},
	{"FREQUENCY_LIMITED", "", Retry, Text{"调用太频繁", "There are too many calls."}, &adviceSlow, nil},
	{"RATELIMIT_EXCEEDED", "", Retry, Text{"调用太频繁", "There are too many calls."}, &adviceSlow, nil},
	{"INVALID_REQ_TOO_MUCH", "", Retry, Text{"错误的请求太多", "There are too many faulty calls."}, &Text{"一分钟后用相同参数重新调用", "Make the same call again after a minute."}, nil},
	{"STATEMENT_CREATING", "", Retry, Text{"账单还没生成好", "The bill is not ready."}, &Text{"10 点以后每半小时再试", "Call again after ten o'clock, every half an hour."}, nil},
	{"SIGN_ERROR", "", Operator, Text{"签名错误：密钥、证书序列号或服务器时间不对", "The signature is wrong: the key, the certificate's serial or the clock is not right."}, &Text{"核对密钥和证书序列号是否为该商户号的，校准服务器时间", "Compare key and serial with those of the merchant number, and set the clock."}, &menuSecurity},
	{"NO_AUTH", "", Operator, Text{"商户号没有开通该产品，或被限制", "The merchant number lacks the product, or is restricted."}, &Text{"开通产品，或处理限制", "Open the product, or settle the restriction."}, &menuProduct},
	{"APPID_NOT_EXIST", "", Operator, Text{"appid 不存在", "There is no such appid."}, &Text{"核对 appid", "Compare the appid with the console of the account."}, &menuAccount},
	{"MCHID_NOT_EXIST", "", Operator, Text{"商户号不存在", "There is no such merchant number."}, &Text{"核对商户号", "Compare the merchant number with the merchant platform."}, &menuSecurity},
	{"MCH_NOT_EXISTS", "", Operator, Text{"商户号不存在", "There is no such merchant number."}, &Text{"核对商户号", "Compare the merchant number with the merchant platform."}, &menuSecurity},
	{"APPID_MCHID_NOT_MATCH", "", Operator, Text{"appid 与商户号未绑定", "The appid is not bound to the merchant number."}, &Text{"绑定 appid，几分钟后生效", "Bind the appid. It takes some minutes."}, &menuAppID},
	{"LACK_PARAMS", "", Developer, Text{"缺少参数", "A field is missing."}, &adviceProgram, nil},
	{"PARAM_ERROR", "", Developer, Text{"参数错误", "A field is malformed."}, &adviceProgram, nil},
	{"INVALID_REQUEST", "", Developer, Text{"请求不符合业务规则，或与之前同一单号的请求不同", "A rule of the call is broken, or it differs from an earlier call of the same number."}, &adviceRead, nil},
	{"XML_FORMAT_ERROR", "", Developer, Text{"XML 格式错误", "The body is not XML as documented."}, &adviceProgram, nil},
	{"POST_DATA_EMPTY", "", Developer, Text{"报文为空", "The body is empty."}, &adviceProgram, nil},
	{"REQUIRE_POST_METHOD", "", Developer, Text{"没有用 POST", "The method is not POST."}, &adviceProgram, nil},
	{"NOT_UTF8", "", Developer, Text{"不是 UTF-8", "The body is not UTF-8."}, &adviceProgram, nil},
	{"RULE_LIMIT", "", Declined, Text{"业务规则限制", "A rule of WeChat's forbids it."}, &adviceRead, &menuPenalty},
	{"TRADE_ERROR", "", Declined, Text{"交易失败", "The trade failed."}, &adviceRead, nil},
	{"ACCOUNT_ERROR", "", Declined, Text{"付款人账户异常", "The payer's account is not in order."}, &advicePayer, nil},

	// 13.5 and 13.6: orders.
	{"OUT_TRADE_NO_USED", "", Developer, Text{"商户订单号已用于另一笔内容不同的订单", "The number was used with other fields."}, &Text{"用与第一次相同的参数，或换新的商户订单号", "Send the fields of the first call, or take a new number."}, nil},
	{"OPENID_MISMATCH", "", Developer, Text{"openid 不属于该 appid", "The openid is not of this appid."}, &Text{"用同一个 appid 取得的 openid", "Use an openid that the same appid got."}, nil},
	{CodeNotEnough, opRefund, Operator, Text{"商户的退款资金不足", "The merchant's funds do not suffice for the refund."}, &Text{"充值，或改用另一个资金来源，再用相同单号重试", "Pay in or take the other source, then send the same refund again."}, &menuMoney},
	{CodeNotEnough, "", Declined, Text{"付款人余额不足", "The payer's balance does not suffice."}, &advicePayer, nil},
	{CodeOrderPaid, "", Declined, Text{"订单已支付", "The order is paid."}, &adviceQuery, &menuTrades},
	{CodeOrderClosed, "", Declined, Text{"订单已关闭", "The order is closed."}, &adviceNumber, nil},
	{CodeOrderNotExist, opRefund, Developer, Text{"没有这笔已支付的订单", "There is no such paid order."}, &adviceQuery, &menuTrades},
	{CodeOrderNotExist, "", Declined, Text{"微信没有这笔订单，或属于别的商户号", "WeChat never took the order, or it is another merchant's."}, &Text{"核对商户订单号和商户号", "Compare the number of the order and of the merchant."}, &menuTrades},
	{"TRADE_STATE_ERROR", "", Declined, Text{"订单状态不允许", "The state of the order does not allow it."}, &adviceQuery, &menuTrades},

	// 13.7: refunds.
	{"RESOURCE_NOT_EXISTS", opRefund, Developer, Text{"没有这笔已支付的订单", "There is no such paid order."}, &adviceQuery, &menuTrades},
	{"RESOURCE_NOT_EXISTS", opCertificates, Operator, Text{"商户号只有微信支付公钥，没有平台证书", "The merchant number has WeChat Pay's public key and no platform certificates."}, &Text{"改为公钥模式：填写微信支付公钥及其 ID", "Set the public key of WeChat Pay and its ID."}, &menuPubKey},
	{"RESOURCE_NOT_EXISTS", "", Declined, Text{"没有这笔订单或退款，或订单未支付", "There is no such order or refund, or the order is not paid."}, &Text{"核对单号和商户号", "Compare the number with what was sent, and the merchant number."}, &menuTrades},
	{CodeRefundNotExist, "", Declined, Text{"微信没有这笔退款", "WeChat has no such refund."}, &Text{"用相同参数重新申请退款", "Send the same refund again."}, &menuTrades},
	{"TRADE_OVERDUE", "", Declined, Text{"支付已超过一年，不能退款", "The payment is more than a year old."}, &adviceOther, nil},
	{"USER_ACCOUNT_ABNORMAL", "", Declined, Text{"付款人账户已注销或异常", "The payer's account is closed or restricted."}, &adviceOther, &menuTrades},
	{"REQUEST_BLOCKED", "", Declined, Text{"请求被微信拦截", "WeChat blocks the request."}, &adviceRead, &menuPenalty},
	{"ERROR", "", Declined, Text{"业务错误", "The call failed."}, &adviceRead, nil},
	{"INVALID_TRANSACTIONID", "", Developer, Text{"微信支付订单号不存在", "There is no such transaction."}, &adviceProgram, &menuTrades},
	{"REFUND_FEE_MISMATCH", "", Developer, Text{"金额与同一退款单号之前的请求不同", "The amounts differ from an earlier call of the same number."}, &Text{"用第一次的金额，或换新的退款单号", "Send the amounts of the first call, or take a new number."}, nil},

	// 13.8: bills.
	{"20002", "", Declined, Text{"当天没有交易", "There was no trade that day."}, &Text{"无需处理", "Nothing is to be done."}, nil},
	{"NO_BILL_EXIST", "", Declined, Text{"当天没有交易", "There was no trade that day."}, &Text{"无需处理", "Nothing is to be done."}, nil},
	{CodeNoBill, "", Declined, Text{"当天没有交易", "There was no trade that day."}, &Text{"无需处理", "Nothing is to be done."}, nil},

	// 13.11: WeChat's page of H5 payment, which shows them to the user.
	{"268498465", "", Developer, Text{"下单时的用户 IP 与微信看到的不一致", "The payer's address of the order is not the one that WeChat sees."}, &Text{"下单时传用户真实的公网 IP", "Send the payer's public address with the order."}, nil},
	{"268443815", "", Developer, Text{"跳转时没有 Referer", "The browser sent no Referer."}, &Text{"从 H5 支付域名下的页面跳转，不要去掉 Referer", "Go there from a page of the H5 domain that sends a Referer."}, &menuDevelop},
	{"268443816", "", Operator, Text{"域名不是 H5 支付域名", "The domain is not one of H5 payment."}, &Text{"添加 H5 支付域名", "Add the domain to those of H5 payment."}, &menuDevelop},
	{"268498468", "", Declined, Text{"支付链接已超过五分钟", "The link is older than five minutes."}, &Text{"重新下单或重新取得链接", "Get a new link."}, nil},

	// 13.12: the number at the end of a Request-ID of APIv3.
	{"268512771", "", Declined, Text{"订单不存在：单号、大小写或空格不对，属于别的商户号，下单失败，或未支付就退款", "There is no such order: another number, another merchant, or a refund before the payment."}, &Text{"核对商户订单号和商户号", "Compare the number of the order and of the merchant."}, &menuTrades},
	{"268447840", "", Retry, Text{"调用太频繁", "There are too many calls."}, &adviceSlow, nil},
	{"268435461", "", Developer, Text{"参数不合法：金额单位、时间格式、缺少字段或多余空白", "A parameter is illegal: yuan for fen, the form of a time, a missing field, a blank."}, &adviceProgram, nil},
	{"268449538", "", Declined, Text{"订单已支付", "The order is paid."}, &adviceQuery, &menuTrades},
	{"268498689", "", Declined, Text{"订单已支付", "The order is paid."}, &adviceQuery, &menuTrades},
	{"270924358", "", Developer, Text{"有接口文档没有的参数", "There is a field that the documentation does not have."}, &Text{"去掉多余的字段", "Remove the field."}, nil},
	{"268443715", "", Operator, Text{"商户号被冻结或已注销", "The merchant number is frozen or cancelled."}, &Text{"在商户平台查看商户号状态", "Look at the state of the merchant number."}, &menuPenalty},
	{"268447843", "", Operator, Text{"订单不属于该商户号", "The order is another merchant's."}, &Text{"用下单时的商户号", "Use the merchant number of the order."}, &menuTrades},
	{"268447914", "", Declined, Text{"订单已关闭或过期", "The order is closed or expired."}, &adviceNumber, nil},
	{"268448010", "", Operator, Text{"商户号被限制收款", "The merchant may not receive money."}, &Text{"按违约记录处理", "Settle what the records name."}, &menuPenalty},
	{"268443699", "", Operator, Text{"签名错误：密钥、证书序列号、换行或服务器时间不对", "The signature is wrong: key, serial, line feeds or clock."}, &Text{"核对私钥和证书序列号是否为该商户号的，校准服务器时间", "Compare private key and serial with those of the merchant number, and set the clock."}, &menuCert},
	{"268501013", "", Developer, Text{"JSAPI 下单缺少 openid", "JSAPI needs an openid."}, &Text{"传同一个 appid 取得的 openid", "Send an openid that the same appid got."}, nil},
	{"268498688", "", Developer, Text{"同一单号的参数与之前不同", "The fields differ from an earlier call of the number."}, &Text{"关闭原订单，换新的商户订单号", "Close the order and take a new number."}, nil},
	{"268445527", "", Operator, Text{"appid 与商户号未绑定", "The appid is not bound to the merchant number."}, &Text{"绑定 appid，几分钟后生效", "Bind the appid. It takes some minutes."}, &menuAppID},
	{"268435464", "", Developer, Text{"金额或长度超出范围", "An amount or a length is out of range."}, &adviceProgram, nil},
}
