package main

import (
	"time"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/cst"
	"h5pay/internal/fen"
	"h5pay/internal/v1"
)

// todayScreen shows the takings, the work that has not ended, and the failed checks.
type todayScreen struct {
	app.Compo
	base

	today  v1.Today
	checks v1.Checks
	asked  []v1.RefundRequest // refunds that wait for a second person
}

func newTodayScreen(c *console) *todayScreen {
	return &todayScreen{base: base{c: c, path: "/console", title: textToday}}
}

func (p *todayScreen) OnMount(ctx app.Context) {
	p.read = func(ctx app.Context) {
		p.run(ctx, func() (func(), error) {
			var today v1.Today
			var checks v1.Checks
			if err := p.get("/v1/today", &today); err != nil {
				return nil, err
			}
			var asked v1.RefundRequests
			if p.c.session.RefundConfirm > 0 {
				if err := p.get("/v1/refund-requests", &asked); err != nil {
					return nil, err
				}
			}
			err := p.get("/v1/checks", &checks)
			return func() { p.today, p.checks, p.asked = today, checks, asked.Requests }, err
		})
	}
	p.begin(ctx, true)
}

// sum has the takings of an interval.
type sum struct {
	label    string
	payments int
	paid     fen.Fen
	refunds  int
	refunded fen.Fen
}

func (s *sum) add(t v1.Takings) {
	s.payments += t.Payments
	s.paid += t.Paid
	s.refunds += t.Refunds
	s.refunded += t.Refunded
}

// byHour returns the 24 hours of the day of a time in Beijing.
func byHour(hours []v1.Takings, day time.Time) []sum {
	sums := make([]sum, 24)
	for i := range sums {
		sums[i].label = day.Add(time.Duration(i) * time.Hour).Format("15:04")
	}
	for _, h := range hours {
		if i := int(time.UnixMilli(h.At).Sub(day) / time.Hour); h.At >= day.UnixMilli() && i < 24 {
			sums[i].add(h)
		}
	}
	return sums
}

// byDay returns the last days up to that of a time in Beijing, oldest first.
func byDay(hours []v1.Takings, day time.Time, days int) []sum {
	sums := make([]sum, days)
	for i := range sums {
		sums[i].label = day.AddDate(0, 0, i-days+1).Format(time.DateOnly)
	}
	for _, h := range hours {
		age := int(day.Sub(cst.Day(time.UnixMilli(h.At))) / (24 * time.Hour))
		if age >= 0 && age < days {
			sums[days-1-age].add(h)
		}
	}
	return sums
}

func (p *todayScreen) Render() app.UI {
	if !p.loaded {
		return p.frame()
	}
	day := cst.Day(time.UnixMilli(p.today.At))
	hours, days := byHour(p.today.Hours, day), byDay(p.today.Hours, day, 30)
	now, before := days[29], days[28]
	w := p.today.Waiting
	return p.frame(
		elem("div").Class("figures").Body(
			p.figure(textTaken, p.money(now.paid), p.counted(now.payments, textPaymentMade, textPaymentsMade)),
			p.figure(textYesterday, p.money(before.paid), p.counted(before.payments, textPaymentMade, textPaymentsMade)),
			p.figure(textRefundedToday, p.money(now.refunded), p.counted(now.refunds, textRefundMade, textRefundsMade))),
		p.troubles(), p.waitingRefunds(),
		section(p.tr(textByHour), p.chart("hours", textByHour, hours)),
		section(p.tr(textByDay), p.chart("days", textByDay, days)),
		section(p.tr(textWaiting), elem("ul").Class("list").Body(
			p.waits(textOpenOrders, w.OpenOrders, address("/console/orders", "status", "open")),
			p.waits(textOpenRefunds, w.OpenRefunds, address("/console/orders", "status", "refunding")),
			p.waits(textPending, w.PendingEvents, address("/console/events", "status", "pending")))))
}

func (p *todayScreen) figure(name text, value app.UI, small string) app.UI {
	return elem("div").Class("figure").Body(elem("h2").Text(p.tr(name)), elem("p").Body(value), elem("p").Class("small").Text(small))
}

func (p *todayScreen) waits(name text, n int, href string) app.UI {
	shown := count(n)
	if n >= 100 {
		shown = "100+"
	}
	return elem("li").Body(elem("a").Attr("href", href).Body(elem("span").Text(p.tr(name)), elem("strong").Text(shown)))
}

// troubles lists the checks with a problem, each with the screen for its repair.
func (p *todayScreen) troubles() app.UI {
	var wrong []app.UI
	for _, c := range p.checks.Checks {
		if !needsAttention(c) {
			continue
		}
		href := p.repairOf(c)
		if href == "" {
			href = "/console/check"
		}
		wrong = append(wrong, elem("li").DataSet("check", c.ID).Body(
			elem("span").Body(elem("strong").Text(p.tr(checkName(c.ID))), elem("br"), app.Text(p.problem(c))),
			elem("a").Class("weui-btn weui-btn_mini weui-btn_default").Attr("href", href).Text(p.tr(textRepair))))
	}
	if wrong == nil {
		return elem("p").Class("well").Body(elem("i").Class("weui-icon-success").Aria("hidden", "true"), elem("span").Text(p.tr(textAllWell)))
	}
	return section(p.tr(textWrong), elem("ul").Class("list troubles").Body(wrong...))
}
