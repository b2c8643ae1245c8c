package main

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/cst"
	"h5pay/internal/v1"
)

// ordersScreen lists orders, newest first, and finds them by any number.
type ordersScreen struct {
	app.Compo
	base
	table tableExport

	filter orderFilter
	typed  orderFilter // in the form
	orders []v1.Order
	next   string // cursor of the next part
	grown  bool   // more than the first part is shown: the list is not refreshed
}

// orderFilter is the filter of the form.
type orderFilter struct {
	number, status, source string
	from, to               string // days of Beijing, "2006-01-02"
}

func newOrdersScreen(c *console) *ordersScreen {
	return &ordersScreen{base: base{c: c, path: "/console/orders", title: textOrders}}
}

func (p *ordersScreen) OnMount(ctx app.Context) {
	q := p.c.b.Query()
	p.filter = orderFilter{number: param(q, "number"), status: param(q, "status")}
	p.typed = p.filter
	p.read = p.load
	p.begin(ctx, true)
}

// query returns the filter as a query of /v1/orders.
func (f orderFilter) query() []string {
	return []string{"number", f.number, "status", f.status, "source", f.source, "from", dayMilli(f.from, 0), "to", dayMilli(f.to, 1)}
}

// dayMilli returns the beginning of a day in Beijing, or of one some days later, in Unix ms. It
// returns "" for anything else.
func dayMilli(day string, later int) string {
	at, err := cst.ParseDay(day)
	if err != nil {
		return ""
	}
	return strconv.FormatInt(at.AddDate(0, 0, later).UnixMilli(), 10)
}

func (p *ordersScreen) load(ctx app.Context) {
	if p.grown {
		return
	}
	filter := p.filter
	p.run(ctx, func() (func(), error) {
		var list v1.Orders
		err := p.get(address("/v1/orders", append(filter.query(), "limit", "50")...), &list)
		return func() {
			if filter == p.filter {
				p.orders, p.next = list.Orders, list.Next
			}
		}, err
	})
}

func (p *ordersScreen) loadMore(ctx app.Context) {
	p.grown = true
	p.act(ctx, text{}, func(ctx context.Context) (func(), error) {
		var list v1.Orders
		err := call(ctx, p.c.b, "GET", address("/v1/orders", append(p.filter.query(), "limit", "50", "cursor", p.next)...), nil, &list, "")
		return func() { p.orders, p.next = append(p.orders, list.Orders...), list.Next }, err
	})
}

func (p *ordersScreen) find(_ app.Context, e app.Event) {
	e.PreventDefault()
	p.filter, p.grown, p.loaded, p.said = p.typed, false, false, ""
	p.load(p.page)
}

var statusOptions = []option{{"", textAll}, {"open", textOpen}, {"paid", textPaid}, {"refunding", textRefunding}, {"refunded", textRefunded}, {"closing", textClosing}, {"closed", textClosed}}

var sourceOptions = []option{{"", textAll}, {"shop", textShopSource}, {"api", textAPISource}, {"link", textLinkSource}}

func (p *ordersScreen) Render() app.UI {
	if p.c.session == nil || p.err != nil && !p.loaded {
		return p.frame()
	}
	set := func(field *string) func(app.Context, string) {
		return func(_ app.Context, v string) { *field = v }
	}
	form := elem("form").Class("filter find").Role("search").OnSubmit(p.find).Body(
		p.field("number", textSearch, "search", p.typed.number, func(v string) { p.typed.number = v }, "enterkeyhint", "search", "autocomplete", "off", "aria-describedby", "number-hint"),
		elem("p").ID("number-hint").Class("small wide").Text(p.tr(textSearchHint)),
		p.choice("status", textStatus, p.typed.status, statusOptions, set(&p.typed.status)),
		p.choice("source", textSource, p.typed.source, sourceOptions, set(&p.typed.source)),
		p.field("from", textFrom, "date", p.typed.from, func(v string) { p.typed.from = v }),
		p.field("to", textTo, "date", p.typed.to, func(v string) { p.typed.to = v }),
		p.submit(textFind, true))
	loaded := p.loaded
	var list app.UI
	switch {
	case !loaded:
		list = p.skeleton()
	case len(p.orders) == 0 && p.filter.number != "":
		list = p.nothing(textNoSuchOrder, textNoSuchHint)
	case len(p.orders) == 0:
		list = p.nothing(textNoOrders, textNoOrdersHint)
	default:
		list = elem("ul").Class("list orders").Body(app.Range(p.orders).Slice(func(i int) app.UI { return p.orderEntry(p.orders[i]) }))
	}
	p.loaded = true // the form stays while the list is read
	defer func() { p.loaded = loaded }()
	return p.frame(form, list,
		app.If(loaded && p.next != "", elem("p").Class("further").Body(p.mini(textMoreRows, p.loadMore))),
		p.exports(&p.table, map[string]text{"orders": textExportOrders, "refunds": textExportRefunds}, p.filter.exported()))
}

// orderEntry is an order in a list.
func (s *base) orderEntry(o v1.Order) app.UI {
	status := orderStatuses[o.Status]
	return elem("li").DataSet("order", o.ID).Body(
		elem("a").Attr("href", "/console/order?id="+url.QueryEscape(o.ID)).Body(
			elem("span").Class("what").Body(
				elem("strong").Text(o.Description),
				elem("span").Class("small").Body(when(o.CreatedAt), app.Text(" "+o.Reference))),
			elem("span").Class("much").Body(
				s.money(o.Amount),
				app.If(o.Refunded > 0, elem("span").Class("small").Text(s.tr(textBackTotal)+" ¥"+o.Refunded.String())),
				s.badge(status.name, status.kind, string(o.Status)))))
}

// exported returns the filter as a query of a table of orders or refunds.
func (f orderFilter) exported() []string {
	return []string{"from", dayMilli(f.from, 0), "to", dayMilli(f.to, 1)}
}

// fileDay returns today in Beijing, for the name of a file.
func fileDay() string { return cst.In(time.Now()).Format("20060102") }
