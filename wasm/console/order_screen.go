package main

import (
	"context"
	"crypto/rand"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/v1"
)

// orderScreen shows one order, and refunds or closes it.
type orderScreen struct {
	app.Compo
	base

	id     string
	order  v1.Order
	events []v1.Event
	asked  []v1.RefundRequest // refunds of the order that wait for a second person
	refund refundForm
}

// refundForm is what the operator enters for a refund.
type refundForm struct {
	amount, reason string
	fromBalance    bool
	key            string // the Idempotency-Key: the same until the refund was made
}

func newOrderScreen(c *console) *orderScreen {
	return &orderScreen{base: base{c: c, path: "/console/orders", title: textOrder}}
}

func (p *orderScreen) OnMount(ctx app.Context) {
	p.id = param(p.c.b.Query(), "id")
	p.read = p.load
	p.begin(ctx, true)
}

func (p *orderScreen) orderPath() string { return "/v1/orders/" + url.PathEscape(p.id) }

func (p *orderScreen) load(ctx app.Context) {
	p.run(ctx, func() (func(), error) {
		var o v1.Order
		var events v1.Events
		if err := p.get(p.orderPath(), &o); err != nil {
			return nil, err
		}
		for _, id := range eventsOf(o) {
			var e v1.Event
			switch err := p.get("/v1/events/"+url.PathEscape(id), &e); {
			case err == nil:
				events.Events = append(events.Events, e)
			case code(err) != api.CodeNotFound: // there may be none yet
				return nil, err
			}
		}
		asked, err := p.requests()
		return func() { p.order, p.events, p.asked = o, events.Events, asked }, err
	})
}

// requests returns the refunds of the order that wait for a second person.
func (p *orderScreen) requests() (asked []v1.RefundRequest, err error) {
	if p.c.session.RefundConfirm == 0 {
		return nil, nil
	}
	var list v1.RefundRequests
	err = p.get("/v1/refund-requests", &list)
	for _, r := range list.Requests {
		if r.OrderID == p.id {
			asked = append(asked, r)
		}
	}
	return asked, err
}

// eventsOf returns the IDs of the events that an order may have. An ID follows from the type
// and the subject of an event.
func eventsOf(o v1.Order) (ids []string) {
	switch o.Status {
	case v1.OrderPaid, v1.OrderRefunding, v1.OrderRefunded:
		ids = append(ids, "evt_paid_"+o.ID)
	case v1.OrderClosed:
		ids = append(ids, "evt_closed_"+o.ID)
	}
	for _, p := range o.Payments {
		if p.Duplicate {
			ids = append(ids, "evt_duplicate_"+p.OutTradeNo)
		}
	}
	for _, r := range o.Refunds {
		if r.Status == api.RefundSucceeded && !r.Duplicate {
			ids = append(ids, "evt_refunded_"+strings.NewReplacer("|", "~p", "*", "~s", "@", "~a").Replace(r.ID))
		}
	}
	return ids[:min(len(ids), 30)]
}

// left returns the amount of the order's payment that can still be refunded.
func (p *orderScreen) left() fen.Fen {
	left := p.order.Amount
	for _, r := range p.order.Refunds {
		if !r.Duplicate && r.Status != "failed" && r.Status != "closed" {
			left -= r.Amount
		}
	}
	return max(0, left)
}

func (p *orderScreen) Render() app.UI {
	if !p.loaded {
		return p.frame()
	}
	o := p.order
	status := orderStatuses[o.Status]
	return p.frame(
		elem("p").Class("up").Body(elem("a").Attr("href", "/console/orders").Text("‹ "+p.tr(textBack))),
		elem("div").Class("amount-line").Body(p.money(o.Amount), p.badge(status.name, status.kind, string(o.Status)),
			app.If(o.Refunded > 0, elem("span").Class("small").Text(p.tr(textBackTotal)+" ¥"+o.Refunded.String()))),
		p.actions(),
		section(p.tr(textFacts), elem("dl").Class("facts").Body(
			p.rowText(textOrderNo, o.ID), p.rowText(textReference, o.Reference), p.rowText(textDescription, o.Description),
			p.rowText(textSource, p.tr(sources[o.Source])), p.rowText(textCreated, beijingTime(o.CreatedAt)),
			p.rowText(textExpires, beijingTime(o.ExpiresAt)), p.rowText(textPaidAt, beijingTime(o.PaidAt)),
			app.If(o.URL != "", p.row(textCustomerURL, elem("span").Class("address").Text(o.URL), p.copyButton(textCopy, o.URL))),
			app.Range(o.Lines).Slice(func(i int) app.UI {
				l := o.Lines[i]
				return elem("div").Body(elem("dt").Text(l.Name+" × "+count(l.Quantity)), elem("dd").Body(p.money(l.Price)))
			}),
			p.rowText(textMetadata, metadataLine(o.Metadata)))),
		section(p.tr(textPayments), elem("ul").Class("list plainer").Body(app.Range(o.Payments).Slice(func(i int) app.UI { return p.payment(o.Payments[i]) }))),
		p.refundSection(),
		section(p.tr(textSteps), elem("ol").Class("sheet timeline").Body(app.Range(o.Steps).Slice(func(i int) app.UI {
			s := o.Steps[len(o.Steps)-1-i]
			return elem("li").Body(elem("span").Class("what").Text(p.tr(orderStatuses[s.Status].name)), when(s.At))
		}))),
		section(p.tr(textDeliveries), p.deliveries()))
}

func (p *orderScreen) actions() app.UI {
	var buttons []app.UI
	buttons = append(buttons, p.mini(textSync, func(ctx app.Context) {
		p.act(ctx, textSynced, func(ctx context.Context) (func(), error) {
			var o v1.Order
			err := call(ctx, p.c.b, "GET", p.orderPath()+"?sync=true", nil, &o, "")
			return func() { p.order = o }, err
		})
	}))
	if p.may(v1.ScopeWrite) && p.order.Status == v1.OrderOpen {
		buttons = append(buttons, p.mini(textClose, func(ctx app.Context) {
			p.confirm(ctx, confirmation{textCloseTitle, p.tr(textCloseHint), textClose, func(ctx app.Context) {
				p.act(ctx, textCloseDone, func(ctx context.Context) (func(), error) {
					return nil, call(ctx, p.c.b, "POST", p.orderPath()+"/close", nil, nil, "")
				})
			}})
		}))
	}
	return elem("p").Class("actions").Body(buttons...)
}

func (p *orderScreen) payment(pay v1.Payment) app.UI {
	status := paymentStatuses[pay.Status]
	return elem("li").DataSet("payment", pay.OutTradeNo).Body(elem("dl").Class("facts").Body(
		p.row(textStatus, p.badge(status.name, status.kind, string(pay.Status)), app.If(pay.Duplicate, p.badge(textDuplicate, "bad", "duplicate"))),
		p.rowText(textTransaction, pay.TransactionID), p.rowText(textOutTradeNo, pay.OutTradeNo),
		p.rowText(textTradeType, string(pay.TradeType)+" · API"+pay.APIVersion), p.rowText(textPayer, pay.Payer),
		p.rowText(textPaidAt, beijingTime(pay.PaidAt)), p.rowText(textFailure, pay.Failure)))
}

func (p *orderScreen) refundSection() app.UI {
	var parts []app.UI
	if len(p.order.Refunds) > 0 {
		parts = append(parts, elem("ul").Class("list plainer").Body(app.Range(p.order.Refunds).Slice(func(i int) app.UI {
			r := p.order.Refunds[i]
			status := refundStatuses[r.Status]
			return elem("li").DataSet("refund", r.ID).Body(elem("dl").Class("facts").Body(
				p.row(textAmount, p.money(r.Amount), p.badge(status.name, status.kind, string(r.Status)), app.If(r.Duplicate, p.badge(textDuplicate, "bad", "duplicate"))),
				p.rowText(textReason, r.Reason), p.rowText(textRefundNo, r.ID), p.rowText(textWeChatRefund, r.RefundID),
				p.rowText(textRequested, beijingTime(r.CreatedAt)), p.rowText(textEnded, beijingTime(r.EndedAt)),
				p.rowText(textFailure, joined(r.Failure, r.FailureText)), p.rowText(textAdvice, r.Advice)))
		})))
	} else {
		parts = append(parts, elem("p").Class("none").Text(p.tr(textNoRefunds)))
	}
	for _, r := range p.asked {
		parts = append(parts, p.request(r))
	}
	paid := p.order.Status == v1.OrderPaid || p.order.Status == v1.OrderRefunding
	if paid && p.left() > 0 && p.may(v1.ScopeRefund) && len(p.asked) == 0 {
		parts = append(parts, p.refundForm())
	}
	return section(p.tr(textRefunds), parts...)
}

func joined(a, b string) string {
	if b == "" {
		return a
	}
	return a + ": " + b
}

func (p *orderScreen) refundForm() app.UI {
	return elem("form").Class("form").ID("refund").OnSubmit(func(_ app.Context, e app.Event) {
		e.PreventDefault()
		p.askRefund(p.page)
	}).Body(
		elem("p").Class("small").Body(app.Text(p.tr(textLeft)+" "), p.money(p.left())),
		p.field("amount", textRefundAmount, "text", p.refund.amount, func(v string) { p.refund.amount = v }, "inputmode", "decimal", "autocomplete", "off"),
		p.mini(textRefundAll, func(app.Context) { p.refund.amount = p.left().String() }),
		p.field("reason", textRefundReason, "text", p.refund.reason, func(v string) { p.refund.reason = v }, "maxlength", "26"),
		p.check("balance", textFromBalance, p.refund.fromBalance, func(on bool) { p.refund.fromBalance = on }),
		p.submit(textRefund, p.refund.amount != ""))
}

// askRefund asks the operator to confirm the refund. The same form makes one refund, even if
// the call is repeated.
func (p *orderScreen) askRefund(ctx app.Context) {
	amount, ok := fen.ParseYuan(p.refund.amount)
	if !ok || amount == 0 {
		p.sayWrong(textBadAmount)
		p.c.b.Focus("amount")
		return
	}
	// A form that has a key may have been sent: its refund may be part of what is not left.
	if p.refund.key == "" && amount > p.left() {
		p.sayWrong(errorTexts[api.CodeRefundTooMuch])
		p.c.b.Focus("amount")
		return
	}
	if p.refund.key == "" {
		p.refund.key = rand.Text()
	}
	form := p.refund
	if p.needsSecond(amount) {
		p.confirm(ctx, confirmation{textAskTitle, "¥" + amount.String() + " · " + p.tr(textAskHint), textAsk, func(ctx app.Context) {
			p.act(ctx, textAsked, func(ctx context.Context) (func(), error) {
				req := v1.CreateRefundRequest{Amount: amount, Reason: form.reason, FromBalance: form.fromBalance}
				err := call(ctx, p.c.b, "POST", p.orderPath()+"/refund-requests", req, nil, form.key)
				return func() { p.refund = refundForm{} }, err
			})
		}})
		return
	}
	p.confirm(ctx, confirmation{textRefundTitle, "¥" + amount.String() + " · " + p.order.Description, textRefund, func(ctx app.Context) {
		p.act(ctx, textRefundSent, func(ctx context.Context) (func(), error) {
			var r v1.Refund
			err := call(ctx, p.c.b, "POST", p.orderPath()+"/refunds", v1.CreateRefund{Amount: amount, Reason: form.reason, FromBalance: form.fromBalance}, &r, form.key)
			return func() { p.refund = refundForm{} }, err
		})
	}})
}

func (p *orderScreen) deliveries() app.UI {
	if len(p.events) == 0 {
		return elem("p").Class("none").Text(p.tr(textNoDeliveries))
	}
	return elem("ul").Class("list plainer").Body(app.Range(p.events).Slice(func(i int) app.UI { return p.delivery(p.events[i]) }))
}

// metadataLine writes the entries of the metadata in the order of their keys.
func metadataLine(metadata map[string]string) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		parts = append(parts, key+": "+metadata[key])
	}
	return strings.Join(parts, "; ")
}
