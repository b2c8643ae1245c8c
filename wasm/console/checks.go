package main

import "h5pay/internal/v1"

// finding is the result of a check as the screens show it.
type finding struct {
	id     string
	name   text
	kind   string // good, wait (somebody should look at it) or bad
	detail string // "" if there is nothing to say
	href   string // of the screen where it is repaired, "" for none
}

// findingsOf returns the results of the checks. It alone knows the message of /v1/checks.
func findingsOf(checks v1.Checks) []finding {
	all := make([]finding, len(checks.Checks))
	for i, c := range checks.Checks {
		kind := "good"
		switch {
		case !c.OK:
			kind = "bad"
		case c.Problem != "":
			kind = "wait"
		}
		all[i] = finding{id: c.Name, name: checkName(c.Name), kind: kind, detail: c.Problem}
		if kind != "good" {
			all[i].href = repairs[c.Name]
		}
	}
	return all
}

// checkNames are the names of the checks of GET /v1/checks.
var checkNames = map[string]text{
	"settings": {"设置", "Settings"}, "wechat": {"微信支付地址", "WeChat's address"}, "apiv3": {"APIv3 密钥", "Keys of APIv3"}, "certificate": {"商户证书", "Merchant certificate"},
	"limits": {"频率限制", "Rate limits"}, "addresses": {"用户地址", "Callers' addresses"}, "database": {"数据库", "Database"}, "cron": {"定时任务", "Timer"},
	"outbox": {"推送", "Deliveries"}, "orders": {"订单", "Orders"}, "size": {"数据库容量", "Database size"}, "certificates": {"平台证书", "Platform certificates"},
	"refunds": {"退款", "Refunds"}, "selling": {"收款开关", "Selling"}, "bills": {"对账", "Bills"}, "catalogue": {"商品", "Catalogue"},
}

// repairs are the screens where what a check found is repaired.
var repairs = map[string]string{
	"outbox": "/console/events?status=dead", "orders": "/console/orders?status=open", "refunds": "/console/orders?status=refunding",
	"bills": "/console/bills", "catalogue": "/console/products", "selling": "/console/more",
}

func checkName(name string) text {
	if t, ok := checkNames[name]; ok {
		return t
	}
	return text{name, name}
}
