package main

import (
	"context"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/v1"
)

var (
	textUnchanged   = text{"记录完整，没有被改动", "The list is complete and unchanged"}
	textChanged     = text{"记录被改动过，从第几条起", "The list was changed, from entry number"}
	textVerify      = text{"校验记录", "Verify the list"}
	textVerifying   = text{"条已校验", "entries verified"}
	textNoAudit     = text{"没有操作记录", "No changes yet"}
	textNoAuditHint = text{"每次修改都会记录：谁、做了什么、之前和之后", "Each change is recorded: who, what, before and after"}
	textBefore      = text{"之前", "Before"}
	textAfter       = text{"之后", "After"}
	textUnknown     = text{"结果未知", "Outcome not known"}
)

// auditScreen lists who changed what.
type auditScreen struct {
	app.Compo
	base

	entries  []v1.AuditEntry
	next     string
	grown    bool
	verified int
	stop     context.CancelFunc // of a verification that is under way
}

func newAuditScreen(c *console) *auditScreen {
	return &auditScreen{base: base{c: c, path: "/console/audit", title: textAudit}}
}

func (p *auditScreen) OnMount(ctx app.Context) {
	p.read = p.load
	p.begin(ctx, true)
}

func (p *auditScreen) load(ctx app.Context) {
	if p.grown {
		return
	}
	p.run(ctx, func() (func(), error) {
		var list v1.Audit
		err := p.get("/v1/audit?limit=50", &list)
		return func() { p.entries, p.next = list.Entries, list.Next }, err
	})
}

func (p *auditScreen) loadMore(ctx app.Context) {
	p.grown = true
	p.act(ctx, text{}, func(ctx context.Context) (func(), error) {
		var list v1.Audit
		err := call(ctx, p.c.b, "GET", address("/v1/audit", "limit", "50", "cursor", p.next), nil, &list, "")
		return func() { p.entries, p.next = append(p.entries, list.Entries...), list.Next }, err
	})
}

// verify lets the signer compute the chain of hashes again, in parts, until it is stopped.
func (p *auditScreen) verify(page app.Context) {
	ctx, stop := context.WithCancel(p.ctx)
	p.stop, p.verified, p.said = stop, 0, ""
	page.Async(func() {
		defer stop()
		var err error
		var part v1.AuditCheck
		for after := ""; ; after = part.Next {
			part = v1.AuditCheck{}
			if err = call(ctx, p.c.b, "GET", address("/v1/audit/check", "cursor", after), nil, &part, ""); err != nil {
				break
			}
			n := part.Entries
			page.Dispatch(func(app.Context) { p.verified += n })
			if !part.OK || part.Next == "" {
				break
			}
		}
		stopped := ctx.Err() != nil
		page.Dispatch(func(app.Context) {
			p.stop = nil
			switch {
			case stopped:
				p.say(textStopped)
			case err != nil:
				p.sayError(err)
			case part.OK:
				p.said, p.wrong = p.tr(textUnchanged)+" ("+count(p.verified)+" "+p.tr(textVerifying)+")", false
			default:
				p.said, p.wrong = p.tr(textChanged)+" "+count(int(part.Broken)), true
			}
		})
	})
}

func (p *auditScreen) Render() app.UI {
	if !p.loaded {
		return p.frame()
	}
	list := p.nothing(textNoAudit, textNoAuditHint)
	if len(p.entries) > 0 {
		list = elem("ul").Class("list plainer").Body(app.Range(p.entries).Slice(func(i int) app.UI { return p.entry(p.entries[i]) }))
	}
	actions := elem("p").Class("actions").Body(p.mini(textVerify, p.verify))
	if p.stop != nil {
		actions = elem("p").Class("exports").Role("status").Body(elem("span").Text(count(p.verified)+" "+p.tr(textVerifying)),
			elem("button").Class("weui-btn weui-btn_mini weui-btn_default").Attr("type", "button").Text(p.tr(textStop)).OnClick(func(app.Context, app.Event) { p.stop() }, "stop"))
	}
	return p.frame(actions, list, app.If(p.next != "", elem("p").Class("further").Body(p.mini(textMoreRows, p.loadMore))))
}

func (p *auditScreen) entry(e v1.AuditEntry) app.UI {
	what, ok := auditActions[e.Action]
	if !ok {
		what = text{e.Action, e.Action}
	}
	who := e.KeyName
	if who == "" {
		who = e.KeyID
	}
	return elem("li").DataSet("audit", e.Action).Body(elem("span").Class("what").Body(
		elem("strong").Text(p.tr(what)+" "+e.Object),
		elem("span").Class("small").Body(when(e.At), app.Text(" · "+who+" · #"+count(int(e.Seq)))),
		app.If(len(e.Before) > 0, elem("code").Class("small").Text(p.tr(textBefore)+": "+string(e.Before))),
		app.If(len(e.After) > 0, elem("code").Class("small").Text(p.tr(textAfter)+": "+string(e.After))),
		app.If(e.Unknown, elem("span").Class("small problem").Text(p.tr(textUnknown)))))
}

// auditActions are the names of the calls in the list, by the name of their route.
var auditActions = map[string]text{
	"closeOrder": {"关闭订单", "Closed order"}, "closeOrders": {"批量关闭订单", "Closed orders"}, "deleteOrders": {"删除归档订单", "Deleted archived orders"}, "createRefund": {"退款", "Refunded order"},
	"createKey": {"创建密钥", "Made key"}, "revokeKey": {"撤销密钥", "Revoked key"}, "putProduct": {"保存商品", "Stored product"}, "deleteProduct": {"删除商品", "Removed product"},
	"changeStock": {"修改库存", "Changed stock"},
	"replayEvent": {"重新推送", "Sent event again"}, "replayEvents": {"批量重新推送", "Sent events again"}, "checkBill": {"对账", "Compared bill"}, "stopBill": {"停止对账", "Stopped comparison"},
	"putSelling": {"收款开关", "Switched selling"}, "erasePerson": {"删除个人信息", "Erased person"}, "exportPerson": {"导出个人信息", "Exported person"},
	"createRefundRequest": {"申请退款", "Asked for refund"}, "confirmRefund": {"确认退款", "Confirmed refund"}, "declineRefund": {"拒绝退款", "Declined refund"},
	"createLink": {"新建收款链接", "Made payment link"}, "changeLink": {"修改收款链接", "Changed payment link"}, "createEndpoint": {"新建 webhook 端点", "Made endpoint"},
	"changeEndpoint": {"修改 webhook 端点", "Changed endpoint"}, "deleteEndpoint": {"删除 webhook 端点", "Deleted endpoint"},
	"rotateSecret": {"更换 webhook 密钥", "Changed secret"}, "testEndpoint": {"测试 webhook 端点", "Tested endpoint"},
	"createPhoto": {"上传照片", "Stored photo"}, "signOutEverywhere": {"在所有设备上退出", "Signed out everywhere"},
}
