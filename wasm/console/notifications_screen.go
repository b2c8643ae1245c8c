package main

import (
	"net/url"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/cause"
	"h5pay/internal/v1"
)

var (
	textAccepted            = text{"已确认", "Accepted"}
	textRetried             = text{"等待微信重发", "To be sent again"}
	textRejected            = text{"与订单不符", "Rejected"}
	textForged              = text{"不是微信发的", "Not WeChat's"}
	textOfPayment           = text{"付款通知", "Payment"}
	textOfRefund            = text{"退款通知", "Refund"}
	textOfEcho              = text{"测试回调", "Test callback"}
	textVerdict             = text{"结果", "Verdict"}
	textNoNotifications     = text{"没有通知", "No notifications"}
	textNoNotificationsHint = text{"微信支付还没有发来通知。若有人已付款，请检查防火墙和机器人拦截是否挡住了 /api/notify/",
		"WeChat Pay has posted nothing. If somebody has paid, see whether a firewall or a bot challenge stands before /api/notify/"}
	textMissingHint = text{"付款是查询得知的。检查会查找通知没有到的原因", "The payment was found by a query. The checks look for the reason"}
	textFindOut     = text{"查明原因", "Find out why"}
	textForgedHint  = text{"签名不对：检查 APIv3 密钥（或 APIv2 密钥）和微信支付公钥是否与商户平台一致", "The signature does not verify: compare the APIv3 key (or APIv2 key) and WeChat Pay's public key with those of the merchant platform"}
	textRetriedHint = text{"当时无法确认，微信会再发一次", "It could not be confirmed then; WeChat sends it again"}
	textNotListed   = text{"条类似的未列出", "more like it are not listed"}
	textLogNo       = text{"日志编号", "In the log"}
)

var verdicts = map[v1.NotificationResult]statusText{
	v1.NotificationAccepted: {textAccepted, "good"}, v1.NotificationRetried: {textRetried, "wait"},
	v1.NotificationRejected: {textRejected, "bad"}, v1.NotificationForged: {textForged, "bad"},
}

// notificationsScreen lists the last messages at the notify URLs.
type notificationsScreen struct {
	app.Compo
	base

	verdict string
	list    []v1.Notification
	missing v1.CheckResult // that a payment has no notification, if it has a cause
}

func newNotificationsScreen(c *console) *notificationsScreen {
	return &notificationsScreen{base: base{c: c, path: "/console/notifications", title: textNotifications}}
}

func (p *notificationsScreen) OnMount(ctx app.Context) {
	p.read = p.load
	p.begin(ctx, true)
}

func (p *notificationsScreen) load(ctx app.Context) {
	verdict := p.verdict
	p.run(ctx, func() (func(), error) {
		var list v1.Notifications
		var checks v1.Checks
		if err := p.get(address("/v1/notifications", "verdict", verdict, "limit", "500"), &list); err != nil {
			return nil, err
		}
		err := p.get("/v1/checks", &checks)
		return func() {
			p.missing = v1.CheckResult{}
			for _, c := range checks.Checks {
				if c.ID == string(cause.Notifications) && c.Cause != "" {
					p.missing = c
				}
			}
			if verdict == p.verdict {
				p.list = list.Notifications
			}
		}, err
	})
}

func (p *notificationsScreen) Render() app.UI {
	if !p.loaded {
		return p.frame()
	}
	options := []option{{"", textAll}, {"accepted", textAccepted}, {"retried", textRetried}, {"rejected", textRejected}, {"forged", textForged}}
	list := p.nothing(textNoNotifications, textNoNotificationsHint)
	if len(p.list) > 0 {
		list = elem("ul").Class("list plainer").Body(app.Range(p.list).Slice(func(i int) app.UI { return p.entry(p.list[i]) }))
	}
	var missing app.UI
	if p.missing.Cause != "" {
		missing = elem("ul").Class("list troubles").Body(elem("li").DataSet("check", p.missing.ID).Body(
			elem("span").Body(elem("strong").Text(p.problem(p.missing)), elem("br"), app.Text(p.tr(textMissingHint))),
			elem("a").Class("weui-btn weui-btn_mini weui-btn_default").Attr("href", p.repairOf(p.missing)).Text(p.tr(textFindOut))))
	}
	return p.frame(missing, elem("form").Class("filter").Body(p.choice("verdict", textVerdict, p.verdict, options, func(ctx app.Context, v string) {
		p.verdict = v
		p.load(ctx)
	})), list)
}

func (p *notificationsScreen) entry(n v1.Notification) app.UI {
	verdict := verdicts[n.Verdict]
	kind := textOfPayment
	switch n.Kind {
	case v1.NotifiedRefund:
		kind = textOfRefund
	case v1.NotifiedEcho:
		kind = textOfEcho
	}
	var hint app.UI
	switch n.Verdict {
	case v1.NotificationForged:
		hint = elem("span").Class("small").Text(p.tr(textForgedHint))
	case v1.NotificationRetried:
		hint = elem("span").Class("small").Text(p.tr(textRetriedHint))
	}
	var number app.UI
	if n.OutTradeNo != "" {
		number = elem("a").Class("small link").Attr("href", "/console/orders?number="+url.QueryEscape(n.OutTradeNo)).Text(n.OutTradeNo)
	}
	return elem("li").DataSet("verdict", string(n.Verdict)).Body(
		elem("span").Class("what").Body(
			elem("strong").Text(p.tr(kind)+" · API"+n.Version), when(n.At), number,
			app.If(n.Verdict != v1.NotificationAccepted, elem("span").Class("small problem").Text(n.Reason)), hint,
			elem("span").Class("small").Text(p.tr(textLogNo)+" "+n.RequestID),
			app.If(n.More > 0, elem("span").Class("small").Text("+ "+count(n.More)+" "+p.tr(textNotListed)))),
		elem("span").Class("much").Body(p.badge(verdict.name, verdict.kind, string(n.Verdict))))
}
