package main

import (
	"context"
	"net/url"
	"strconv"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
	"h5pay/internal/v1"
)

var (
	textEventPaid      = text{"已付款", "Paid"}
	textEventRefunded  = text{"已退款", "Refunded"}
	textEventClosed    = text{"已关闭", "Closed"}
	textEventDuplicate = text{"重复付款", "Paid twice"}
	textDelivered      = text{"已送达", "Delivered"}
	textDead           = text{"已放弃", "Not delivered"}
	textUntaken        = text{"没有接收端", "For no endpoint"}
	textAttempt        = text{"次尝试", "attempt"}
	textAttempts       = text{"次尝试", "attempts"}
	textNextTry        = text{"下次", "Next try"}
	textLastError      = text{"上次错误", "Last error"}
	textResend         = text{"重新推送", "Send again"}
	textResent         = text{"将在一分钟内重新推送", "It is sent again within a minute"}
	textResendRange    = text{"重新推送一段时间的事件", "Send the events of a time again"}
	textResendTitle    = text{"确定重新推送？", "Send them again?"}
	textResendHint     = text{"您的系统会再次收到这些事件", "Your back end gets these events once more"}
	textResending      = text{"条已加入队列", "events are pending again"}
	textResentRange    = text{"已全部加入队列", "All of them are pending again"}
	textNoEvents       = text{"没有推送", "No deliveries"}
	textNoEventsHint   = text{"有订单付款、退款或关闭时，会通知您的系统", "Your back end gets an event when an order is paid, refunded or closed"}
	textOnlyDead       = text{"仅已放弃的", "Only those not delivered"}
	textOnlyDelivered  = text{"仅已送达的", "Only those delivered"}
)

var eventTypes = map[api.EventType]text{
	api.EventOrderPaid: textEventPaid, api.EventOrderRefunded: textEventRefunded, api.EventOrderClosed: textEventClosed, api.EventPaymentDuplicate: textEventDuplicate,
}

// eventOrder is the order in which the types are shown.
var eventOrder = []api.EventType{api.EventOrderPaid, api.EventOrderRefunded, api.EventOrderClosed, api.EventPaymentDuplicate}

var eventStatuses = map[api.EventStatus]statusText{
	api.EventPending: {textPending, "wait"}, api.EventDelivered: {textDelivered, "good"}, api.EventDead: {textDead, "bad"},
	api.EventUntaken: {textUntaken, "off"},
}

// delivery shows an event and the status of its deliveries.
func (s *base) delivery(e v1.Event) app.UI {
	status := eventStatuses[e.Status]
	var each []app.UI
	if len(e.Deliveries) > 1 { // with one endpoint the event says it all
		for _, d := range e.Deliveries {
			each = append(each, elem("span").Class("small").DataSet("delivery", d.EndpointID).Body(app.Text(d.EndpointID+": "), s.deliveryLine(d)))
		}
	}
	facts := elem("span").Class("what").Body(append([]app.UI{
		elem("strong").Text(s.tr(eventTypes[e.Type])), elem("code").Class("small").Text(e.ID),
		elem("span").Class("small").Body(when(e.CreatedAt), app.Text(" · "+s.counted(e.Attempts, textAttempt, textAttempts)),
			app.If(e.NextAt > 0, app.Text(" · "+s.tr(textNextTry)+" "+beijingTime(e.NextAt))),
			app.If(e.DeliveredAt > 0, app.Text(" · "+s.tr(textDelivered)+" "+beijingTime(e.DeliveredAt)))),
		app.If(e.LastError != "", elem("span").Class("small problem").Text(s.tr(textLastError)+": "+e.LastError))}, each...)...)
	return elem("li").DataSet("event", e.ID).Body(facts,
		elem("span").Class("much").Body(
			s.badge(status.name, status.kind, string(e.Status)),
			app.If(s.may(v1.ScopeWrite) && e.Status != api.EventPending, s.mini(textResend, func(ctx app.Context) {
				s.act(ctx, textResent, func(ctx context.Context) (func(), error) {
					return nil, call(ctx, s.c.b, "POST", "/v1/events/"+url.PathEscape(e.ID)+"/replay", nil, nil, "")
				})
			}, e.ID))))
}

// deliveryLine shows the state of an event at one endpoint.
func (s *base) deliveryLine(d v1.Delivery) app.UI {
	status := eventStatuses[d.Status]
	line := s.counted(d.Attempts, textAttempt, textAttempts)
	if d.LastStatus > 0 && d.LastError == "" {
		line += ", HTTP " + count(d.LastStatus)
	}
	switch {
	case d.DeliveredAt > 0:
		line += " · " + beijingTime(d.DeliveredAt)
	case d.NextAt > 0:
		line += " · " + s.tr(textNextTry) + " " + beijingTime(d.NextAt)
	}
	if d.LastError != "" {
		line += " · " + d.LastError
	}
	return elem("span").Class("small").Body(s.badge(status.name, status.kind, string(d.Status)), app.Text(" "+line))
}

// eventsScreen lists the events and their deliveries.
type eventsScreen struct {
	app.Compo
	base

	status string
	events []v1.Event
	next   string
	grown  bool

	from, to, kind string // the range to send again
	resent         int
	stopResend     context.CancelFunc // nil while no range is under way
}

func newEventsScreen(c *console) *eventsScreen {
	return &eventsScreen{base: base{c: c, path: "/console/events", title: textEvents}}
}

func (p *eventsScreen) OnMount(ctx app.Context) {
	p.status = param(p.c.b.Query(), "status")
	p.read = p.load
	p.begin(ctx, true)
}

func (p *eventsScreen) load(ctx app.Context) {
	if p.grown {
		return
	}
	status := p.status
	p.run(ctx, func() (func(), error) {
		var list v1.Events
		err := p.get(address("/v1/events", "status", status, "limit", "50"), &list)
		return func() {
			if status == p.status {
				p.events, p.next = list.Events, list.Next
			}
		}, err
	})
}

func (p *eventsScreen) loadMore(ctx app.Context) {
	p.grown = true
	p.act(ctx, text{}, func(ctx context.Context) (func(), error) {
		var list v1.Events
		err := call(ctx, p.c.b, "GET", address("/v1/events", "status", p.status, "limit", "50", "cursor", p.next), nil, &list, "")
		return func() { p.events, p.next = append(p.events, list.Events...), list.Next }, err
	})
}

func (p *eventsScreen) Render() app.UI {
	if !p.loaded {
		return p.frame()
	}
	options := []option{{"", textAll}, {"pending", textPending}, {"delivered", textDelivered}, {"dead", textDead}}
	filter := elem("form").Class("filter").Body(p.choice("status", textStatus, p.status, options, func(ctx app.Context, v string) {
		p.status, p.grown = v, false
		p.load(ctx)
	}))
	list := p.nothing(textNoEvents, textNoEventsHint)
	if len(p.events) > 0 {
		list = elem("ul").Class("list plainer").Body(app.Range(p.events).Slice(func(i int) app.UI { return p.delivery(p.events[i]) }))
	}
	return p.frame(filter, list,
		app.If(p.next != "", elem("p").Class("further").Body(p.mini(textMoreRows, p.loadMore))),
		app.If(p.may(v1.ScopeWrite), p.rangeForm()))
}

func (p *eventsScreen) rangeForm() app.UI {
	if p.stopResend != nil {
		return section(p.tr(textResendRange), elem("p").Class("exports").Role("status").Body(
			elem("span").DataSet("resending", "true").Text(count(p.resent)+" "+p.tr(textResending)),
			elem("button").Class("weui-btn weui-btn_mini weui-btn_default").Attr("type", "button").Text(p.tr(textStop)).
				OnClick(func(app.Context, app.Event) { p.stopResend() }, "stop")))
	}
	return section(p.tr(textResendRange), elem("form").Class("filter").OnSubmit(p.submitting(func() {
		if p.hasRange() {
			p.confirm(p.page, confirmation{textResendTitle, p.tr(textResendHint), textResend, p.resend})
		}
	})).Body(
		p.field("from", textFrom, "date", p.from, func(v string) { p.from = v }),
		p.field("to", textTo, "date", p.to, func(v string) { p.to = v }),
		p.choice("kind", textStatus, p.kind, []option{{"", textAll}, {"dead", textOnlyDead}, {"delivered", textOnlyDelivered}}, func(_ app.Context, v string) { p.kind = v }),
		p.submit(textResend, p.hasRange())))
}

// hasRange reports whether the user has entered both days.
func (p *eventsScreen) hasRange() bool { return dayMilli(p.from, 0) != "" && dayMilli(p.to, 1) != "" }

// resend makes the events of the range due again, in parts, until it is stopped.
func (p *eventsScreen) resend(page app.Context) {
	from, _ := strconv.ParseInt(dayMilli(p.from, 0), 10, 64)
	to, _ := strconv.ParseInt(dayMilli(p.to, 1), 10, 64)
	req := v1.ReplayEvents{From: from, To: to, Status: p.kind}
	ctx, stop := context.WithCancel(p.ctx)
	p.resent, p.stopResend, p.said = 0, stop, ""
	page.Async(func() {
		defer stop()
		var err error
		for err == nil && ctx.Err() == nil {
			var part v1.Replayed
			if err = call(ctx, p.c.b, "POST", "/v1/events/replay", req, &part, ""); err == nil {
				page.Dispatch(func(app.Context) { p.resent += part.Events })
				if req.Cursor = part.Next; req.Cursor == "" {
					break
				}
			}
		}
		stopped := ctx.Err() != nil
		page.Dispatch(func(ctx app.Context) {
			p.stopResend = nil
			switch {
			case stopped:
				p.said, p.wrong = p.tr(textStopped)+" ("+count(p.resent)+" "+p.tr(textResending)+")", false
			case err != nil:
				p.sayError(err)
			default:
				p.said, p.wrong = p.tr(textResentRange)+" ("+count(p.resent)+")", false
			}
			p.grown = false
			p.again(ctx)
		})
	})
}
