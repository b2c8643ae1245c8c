// Package cause lists the causes for which a shop does not work. The checks name a cause by its ID.
// The table explains each ID in Chinese and English: what is wrong, why it matters, and how to
// repair it. A program that links no function of this package links none of the texts.
package cause

// ID names a cause. It does not change between versions.
type ID string

// Row explains a cause.
type Row struct {
	ID     ID
	Check  Check // that finds it
	ZH, EN Text
}

// Text explains a cause in one language.
type Text struct {
	Problem string // what is wrong
	Effect  string // why it matters
	Repair  string // what to do
	// Menu is the way through the menus of a platform, "" if the repair is elsewhere. WeChat's
	// platforms have Chinese menus only.
	Menu string
}

// Rows returns the whole table, in the order of the checks.
func Rows() []Row { return rows[:] }

// Explain returns the row of a cause. setting is the wrong setting, or "". For a cause that
// many settings share, it selects the menu.
func Explain(id ID, setting string) (Row, bool) {
	for _, row := range rows {
		if row.ID != id {
			continue
		}
		if row.ZH.Menu == "" {
			row.ZH.Menu, row.EN.Menu = settingMenu(setting)
		}
		return row, true
	}
	return Row{}, false
}

// Check names a check. It does not change between versions.
type Check string

// The checks. Those of the first group make no call. Those of the second one call WeChat, those of the
// third one the shop's own address and the webhook endpoints.
const (
	Settings      Check = "settings"
	Mode          Check = "wechat" // real or simulated
	APIv3         Check = "apiv3"
	Certificate   Check = "certificate"
	Limits        Check = "limits"
	Addresses     Check = "addresses"
	Database      Check = "database"
	Schema        Check = "schema"
	Speed         Check = "speed"
	Size          Check = "size"
	Disk          Check = "disk"
	Nodes         Check = "nodes"
	Timer         Check = "cron"
	Outbox        Check = "outbox"
	Orders        Check = "orders"
	Refunds       Check = "refunds"
	Bills         Check = "bills"
	Notifications Check = "notifications"
	Certificates  Check = "certificates"
	Selling       Check = "selling"
	Catalogue     Check = "catalogue"

	SignIn       Check = "sign_in"
	SignInDomain Check = "sign_in_domain"
	CallV2       Check = "api_v2"
	CallV3       Check = "api_v3"
	PlatformKeys Check = "platform_keys"
	Order        Check = "order"
	Echo         Check = "echo"
	Clock        Check = "clock"

	NotifyURL  Check = "notify_url"
	DomainFile Check = "domain_file"
	Webhook    Check = "webhook"
)

// Title is the name of a check in both languages.
type Title struct {
	Check  Check
	ZH, EN string
}

// Titles returns the names of all checks, in their order.
func Titles() []Title { return titles[:] }

// titles are constant data: no code runs for them when a program starts.
var titles = [...]Title{
	{Settings, "配置", "Settings"},
	{Mode, "真实或模拟的微信", "Real or simulated WeChat"},
	{APIv3, "APIv3 的配置", "Settings of APIv3"},
	{Certificate, "退款用的客户端证书", "Client certificate for refunds"},
	{Limits, "频率限制", "Rate limits"},
	{Addresses, "买家的地址", "Addresses of buyers"},
	{Database, "数据库", "Database"},
	{Schema, "数据库的表结构", "Schema of the database"},
	{Speed, "数据库的速度", "Speed of the database"},
	{Size, "数据库的大小", "Size of the database"},
	{Disk, "磁盘空间", "Disk space"},
	{Nodes, "共用数据库的节点", "Nodes of the database"},
	{Timer, "定时任务", "Timer"},
	{Outbox, "事件的投递", "Delivery of events"},
	{Orders, "未完成的订单", "Open orders"},
	{Refunds, "退款", "Refunds"},
	{Bills, "对账", "Bills"},
	{Notifications, "微信的通知", "WeChat's notifications"},
	{Certificates, "已保存的平台证书", "Stored platform certificates"},
	{Selling, "收款开关", "Selling"},
	{Catalogue, "商品", "Catalogue"},
	{Clock, "服务器时钟", "Clock"},
	{SignIn, "AppID 和 AppSecret", "AppID and AppSecret"},
	{SignInDomain, "网页授权域名", "Web-authorization domain"},
	{CallV2, "APIv2 密钥", "Key of APIv2"},
	{CallV3, "APIv3 商户私钥和微信公钥", "Keys of APIv3"},
	{PlatformKeys, "平台证书", "Platform certificates"},
	{Order, "下单权限", "Permission to take payments"},
	{Echo, "微信的回调", "WeChat's callback"},
	{NotifyURL, "通知地址", "Notify URL"},
	{DomainFile, "域名校验文件", "Domain file"},
	{Webhook, "Webhook 接收端", "Webhook endpoint"},
}
