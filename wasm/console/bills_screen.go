package main

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
	"h5pay/internal/cst"
	"h5pay/internal/fen"
	"h5pay/internal/v1"
)

var (
	textAgrees      = text{"一致", "Agrees"}
	textDiffers     = text{"不一致", "Differs"}
	textBillWaiting = text{"等待账单", "Waiting for the bill"}
	textBillFailed  = text{"账单读取失败", "The bill could not be read"}
	textNotCompared = text{"未对账", "Not compared"}
	textInBill      = text{"账单中", "In the bill"}
	textCompare     = text{"立即对账", "Compare now"}
	textCompared    = text{"已对账", "Compared"}
	textComparing   = text{"正在对账", "Comparing"}
	textOurs        = text{"本店", "Ours"}
	textTheirs      = text{"微信", "WeChat's"}
	textExportBills = text{"导出对账", "Export bills"}
	textCheckedAt   = text{"对账时间", "Compared at"}
	textSettlements = text{"手续费与结算", "Fees and settlement"}
	textByTrade     = text{"交易账单", "Trade bill"}
	textByFunds     = text{"资金账单", "Fund-flow bill"}
	textDay         = text{"日期", "Day"}
	textIncome      = text{"收款", "Income"}
	textFees        = text{"手续费", "Fees"}
	textSettlement  = text{"结算", "Settlement"}
	textOther       = text{"其他资金变动（如提现）", "Other movements, like withdrawals"}
	textBalance     = text{"日终余额", "Balance at the end"}
	textFundsDiffer = text{"资金账单与交易账单的结算相差 {amount} 元。零点前的付款可能计入次日；相邻日期抵不平时，在商户平台核对资金流水", "The settlement of the fund-flow bill differs by {amount} yuan. A payment just before midnight may count for the next day. If the days beside it do not make up for it, look at the funds at the merchant platform"}
	textFundsWait   = text{"资金账单暂未取到，稍后自动重试", "The fund-flow bill could not be read yet, and will be fetched again"}
	textNoFunds     = text{"APIv2 没有资金账单，以下按交易账单计算", "APIv2 has no fund-flow bill: these are the sums of the trade bill"}
	textSum         = text{"合计", "Sum"}
	textExportFees  = text{"导出手续费与结算", "Export fees and settlement"}
	textBillsHint   = text{"每天 10 点后，将昨天的微信账单与本店订单逐笔核对", "After ten o'clock each day, yesterday's bill of WeChat is compared with the orders one by one"}
)

var billStatuses = map[v1.BillStatus]statusText{
	v1.BillAgrees: {textAgrees, "good"}, v1.BillDiffers: {textDiffers, "bad"}, v1.BillWaiting: {textBillWaiting, "wait"}, v1.BillFailed: {textBillFailed, "bad"},
}

// differences are the names of the differences, and the advice for each.
var differences = map[v1.DifferenceKind]struct{ name, todo text }{
	v1.MissingHere:   {text{"微信有，本店没有", "WeChat has it, the shop does not"}, text{"可能由同一商户号的其他系统收款。若是本店订单，请在订单中用“向微信查询”核对", "Another system of the same merchant number may have taken it. If it is this shop's, open the order and query WeChat"}},
	v1.MissingThere:  {text{"本店有，微信没有", "The shop has it, WeChat does not"}, text{"打开订单，用“向微信查询”核对；跨零点的付款可能在次日账单中", "Open the order and query WeChat. A payment around midnight may be in the next day's bill"}},
	v1.AmountDiffers: {text{"金额不同", "The amounts differ"}, text{"以微信为准，在商户平台核对该笔交易，并检查是否有人改动过数据库", "WeChat's amount counts. Compare the transaction at the merchant platform, and check whether somebody changed the database"}},
	v1.StatusDiffers: {text{"状态不同", "The statuses differ"}, text{"打开订单，用“向微信查询”更新状态", "Open the order and query WeChat"}},
	v1.NumberDiffers: {text{"单号不同", "The numbers differ"}, text{"同一订单有另一笔付款或退款，在商户平台核对两笔", "The order has another payment or refund: compare both at the merchant platform"}},
	v1.ListedTwice:   {text{"账单中出现两次", "The bill lists it twice"}, text{"联系微信支付客服，并附上单号", "Ask WeChat Pay's support, with the number"}},
}

// billsScreen is a calendar of the days whose bill was compared.
type billsScreen struct {
	app.Compo
	base
	table tableExport

	bills []v1.Bill
	day   string // that is shown with its differences
	bill  v1.Bill

	comparing string // the day whose comparison this screen waits for, "" for none
	progress  v1.BillProgress
	stopping  bool // the user has stopped it
}

func newBillsScreen(c *console) *billsScreen {
	return &billsScreen{base: base{c: c, path: "/console/bills", title: textBills}}
}

func (p *billsScreen) OnMount(ctx app.Context) {
	p.read = func(ctx app.Context) {
		p.run(ctx, func() (func(), error) {
			var list v1.Bills
			err := p.get("/v1/bills", &list)
			return func() { p.bills = list.Bills }, err
		})
	}
	p.begin(ctx, false)
}

func (p *billsScreen) Render() app.UI {
	if !p.loaded {
		return p.frame()
	}
	known := map[string]v1.Bill{}
	for _, b := range p.bills {
		known[b.Date] = b
	}
	today := cst.Day(time.Now())
	var days []app.UI
	for i := 31; i >= 1; i-- {
		day := today.AddDate(0, 0, -i).Format(time.DateOnly)
		bill, compared := known[day]
		status := statusText{textNotCompared, "none"}
		if compared {
			status = billStatuses[bill.Status]
		}
		button := elem("button").Class("day "+status.kind).Attr("type", "button").DataSet("day", day).
			Aria("pressed", choose(day == p.day, "true", "false")).
			Body(elem("span").Text(day[5:]), elem("i").Class(choose(status.kind == "good", "dot good", choose(status.kind == "bad", "dot bad", "dot off"))).Aria("hidden", "true"),
				elem("span").Class("small").Text(p.tr(status.name))).
			OnClick(func(app.Context, app.Event) { p.show(day) }, day)
		days = append(days, elem("li").Body(button))
	}
	return p.frame(elem("p").Class("hint").Text(p.tr(textBillsHint)),
		elem("ul").Class("calendar").Body(days...), p.shown(),
		p.settlements(),
		p.exports(&p.table, map[string]text{"bills": textExportBills, "settlements": textExportFees}, nil))
}

// show reads a day with all its differences.
func (p *billsScreen) show(day string) {
	p.day, p.bill = day, v1.Bill{Date: day}
	p.act(p.page, text{}, func(ctx context.Context) (func(), error) {
		var bill v1.Bill
		err := call(ctx, p.c.b, "GET", "/v1/bills/"+day, nil, &bill, "")
		if code(err) == "not_found" {
			return nil, nil
		}
		return func() {
			if p.bill = bill; bill.Running != nil && p.comparing == "" {
				p.follow(p.page, nil)
				p.progress = *bill.Running
			}
		}, err
	})
}

// compareEvery is the time between two looks at a comparison that is under way.
const compareEvery = 2 * time.Second

// compare compares the bill of the shown day.
func (p *billsScreen) compare(page app.Context) {
	p.follow(page, func(ctx context.Context, day string) (bill v1.Bill, err error) {
		err = call(ctx, p.c.b, "POST", "/v1/bills/"+day+"/check", nil, &bill, "")
		return bill, err
	})
}

// follow shows the progress of the comparison of the shown day until it has ended. begin begins it,
// nil for one that is under way. A large one may take longer than a call.
func (p *billsScreen) follow(page app.Context, begin func(context.Context, string) (v1.Bill, error)) {
	day := p.day
	ctx, done := context.WithCancel(p.ctx)
	p.comparing, p.progress, p.stopping, p.said, p.wrong = day, v1.BillProgress{}, false, "", false
	look := func() (bill v1.Bill, running bool, err error) {
		err = call(ctx, p.c.b, "GET", "/v1/bills/"+day, nil, &bill, "")
		if running = err == nil && bill.Running != nil; running {
			progress := *bill.Running
			page.Dispatch(func(app.Context) { p.progress = progress })
		}
		return bill, running, err
	}
	if begin != nil {
		page.Async(func() {
			for p.c.b.Sleep(ctx, compareEvery) == nil {
				look()
			}
		})
	}
	page.Async(func() {
		defer done()
		bill, running, err := v1.Bill{}, begin == nil, error(nil)
		if begin != nil {
			if bill, err = begin(ctx, day); code(err) == api.CodeRateLimited { // another call or the timer may compare the day
				if _, running, _ = look(); running {
					err = nil
				}
			}
		}
		for (running || code(err) == codeOffline) && p.c.b.Sleep(ctx, compareEvery) == nil {
			bill, running, err = look()
		}
		if ctx.Err() != nil || running {
			return // the screen was left
		}
		page.Dispatch(func(ctx app.Context) { p.compared(ctx, day, bill, err) })
	})
}

// compared shows the result of a comparison that has ended.
func (p *billsScreen) compared(ctx app.Context, day string, bill v1.Bill, err error) {
	p.comparing = ""
	switch {
	case code(err) == api.CodeConflict, err == nil && p.stopping:
		p.say(textStopped)
	case err != nil:
		p.sayError(err)
	default:
		p.say(textCompared)
	}
	if err == nil && p.day == day {
		p.bill = bill
	}
	p.again(ctx)
}

// stopComparing stops the comparison on the server. follow learns that it has ended.
func (p *billsScreen) stopComparing() {
	day := p.comparing
	p.stopping = true
	p.page.Async(func() {
		if err := call(p.ctx, p.c.b, "POST", "/v1/bills/"+day+"/stop", nil, nil, ""); err != nil && p.ctx.Err() == nil {
			p.page.Dispatch(func(app.Context) {
				p.stopping = false
				p.sayError(err)
			})
		}
	})
}

func (p *billsScreen) shown() app.UI {
	if p.day == "" {
		return nil
	}
	b := p.bill
	status, ok := billStatuses[b.Status]
	if !ok {
		status = statusText{textNotCompared, "off"}
	}
	var actions app.UI
	switch {
	case p.comparing != "":
		actions = p.underWay()
	case p.may(v1.ScopeWrite):
		actions = elem("p").Class("actions").Body(p.mini(textCompare, p.compare))
	}
	return section(p.day, elem("dl").Class("facts").Body(
		p.row(textStatus, p.badge(status.name, status.kind, string(b.Status))),
		p.rowText(textInBill, count(b.Payments)+" "+p.tr(textPaymentsMade)+", "+count(b.Refunds)+" "+p.tr(textRefundsMade)),
		p.rowText(textCheckedAt, beijingTime(b.CheckedAt))),
		p.moneyOf(b),
		actions,
		elem("ul").Class("list plainer").Body(app.Range(b.Differences).Slice(func(i int) app.UI { return p.difference(b.Differences[i]) })))
}

// underWay shows the progress of a comparison.
func (p *billsScreen) underWay() app.UI {
	rows := ""
	if p.progress.Rows > 0 {
		rows = " " + count(p.progress.Compared) + " / " + count(p.progress.Rows) + " " + p.tr(textRows)
	}
	return elem("p").Class("exports").Role("status").Body(
		elem("span").DataSet("comparing", p.comparing).Text(p.tr(textComparing)+" "+p.comparing+rows),
		app.If(p.may(v1.ScopeWrite), elem("button").Class("weui-btn weui-btn_mini weui-btn_default").Attr("type", "button").Attr("disabled", p.stopping).
			Text(p.tr(textStop)).OnClick(func(app.Context, app.Event) { p.stopComparing() }, "stop")))
}

// moneyOf shows the fees and the settlement of a day, by both bills.
func (p *billsScreen) moneyOf(b v1.Bill) app.UI {
	if b.Trade == nil {
		return nil
	}
	trade, note := *b.Trade, ""
	bills := []text{textByTrade}
	sums := []v1.BillMoney{trade}
	var more []app.UI
	switch f := b.Funds; {
	case f != nil:
		bills, sums = append(bills, textByFunds), append(sums, f.BillMoney)
		more = []app.UI{p.row(textOther, p.money(f.Other)), p.row(textBalance, p.money(f.Balance))}
		if b.FundsDifference != 0 {
			note = strings.ReplaceAll(p.tr(textFundsDiffer), "{amount}", b.FundsDifference.String())
		}
	case b.FundsPending:
		note = p.tr(textFundsWait)
	default:
		note = p.tr(textNoFunds)
	}
	head := []app.UI{elem("td")}
	for _, name := range bills {
		head = append(head, elem("th").Attr("scope", "col").Text(p.tr(name)))
	}
	rows := []app.UI{elem("tr").Body(head...)}
	for _, r := range []struct {
		name text
		of   func(v1.BillMoney) fen.Fen
	}{
		{textIncome, func(m v1.BillMoney) fen.Fen { return m.Income }}, {textRefunds, func(m v1.BillMoney) fen.Fen { return m.Refunded }},
		{textFees, func(m v1.BillMoney) fen.Fen { return m.Fees }}, {textSettlement, func(m v1.BillMoney) fen.Fen { return m.Settlement }},
	} {
		cells := []app.UI{elem("th").Attr("scope", "row").Text(p.tr(r.name))}
		for _, m := range sums {
			cells = append(cells, elem("td").Text(r.of(m).String()))
		}
		rows = append(rows, elem("tr").Body(cells...))
	}
	return elem("div").DataSet("money", b.Date).Body(
		elem("div").Class("money").Attr("tabindex", "0").Role("region").Aria("label", p.tr(textSettlements)+" "+b.Date).Body(elem("table").Body(rows...)),
		app.If(note != "", elem("p").Class("hint").DataSet("note", "funds").Text(note)),
		app.If(len(more) > 0, elem("dl").Class("facts").Body(more...)))
}

// settlements lists the fees and the settlement of the last days, by the trade bill, with their sum.
func (p *billsScreen) settlements() app.UI {
	var sum v1.BillMoney
	var rows []app.UI
	row := func(id, name string, m v1.BillMoney, note app.UI) {
		rows = append(rows, elem("tr").DataSet("settlement", id).Body(elem("th").Attr("scope", "row").Body(app.Text(name), note),
			elem("td").Text(m.Income.String()), elem("td").Text(m.Refunded.String()), elem("td").Text(m.Fees.String()), elem("td").Text(m.Settlement.String())))
	}
	for _, b := range p.bills {
		if b.Trade == nil {
			continue
		}
		sum = v1.BillMoney{Income: sum.Income + b.Trade.Income, Refunded: sum.Refunded + b.Trade.Refunded, Fees: sum.Fees + b.Trade.Fees, Settlement: sum.Settlement + b.Trade.Settlement}
		var note app.UI
		if b.FundsDifference != 0 {
			note = p.badge(textDiffers, "wait", "funds")
		}
		row(b.Date, b.Date[5:], *b.Trade, note) // without the year, all columns are on the screen of a phone
	}
	if rows == nil {
		return nil
	}
	row("sum", p.tr(textSum), sum, nil)
	var head []app.UI
	for _, name := range []text{textDay, textIncome, textRefunds, textFees, textSettlement} {
		head = append(head, elem("th").Attr("scope", "col").Text(p.tr(name)))
	}
	return section(p.tr(textSettlements), elem("div").Class("money").Attr("tabindex", "0").Role("region").Aria("label", p.tr(textSettlements)).Body(
		elem("table").Body(append([]app.UI{elem("tr").Body(head...)}, rows...)...)))
}

func (p *billsScreen) difference(d v1.BillDifference) app.UI {
	about := differences[d.Kind]
	number := d.OutTradeNo
	if d.OutRefundNo != "" {
		number = d.OutRefundNo
	}
	return elem("li").DataSet("difference", string(d.Kind)).Body(elem("span").Class("what").Body(
		elem("strong").Text(p.tr(about.name)),
		elem("a").Class("small link").Attr("href", "/console/orders?number="+url.QueryEscape(number)).Text(number),
		elem("span").Class("small").Text(p.tr(textOurs)+": "+d.Ours+" · "+p.tr(textTheirs)+": "+d.Theirs),
		elem("span").Class("small").Text(p.tr(textAdvice)+": "+p.tr(about.todo))))
}
