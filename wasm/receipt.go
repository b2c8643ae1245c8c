package main

import (
	"strconv"
	"time"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
	"h5pay/internal/cst"
	"h5pay/internal/fen"
)

// itemList lists the items of an order.
func (s *base) itemList(o api.Order) app.UI {
	return elem("ul").Class("sheet").Body(app.Range(o.Items).Slice(func(i int) app.UI {
		item := o.Items[i]
		return elem("li").Body(
			elem("span").Class("what").Text(item.Name),
			elem("span").Class("count").Text("×"+strconv.Itoa(item.Quantity)),
			s.price(item.Price*fen.Fen(item.Quantity), ""))
	}))
}

// receipt lists the numbers and times that a merchant may request from a buyer.
func (s *base) receipt(o api.Order) app.UI {
	row := func(name text, value string) app.UI {
		return elem("div").Body(elem("dt").Text(s.tr(name)), elem("dd").Text(value))
	}
	return elem("dl").Class("sheet").Body(
		app.If(o.PaidAt != 0, row(textPaidAt, beijingTime(o.PaidAt))),
		app.If(o.PaidAtUnknown, row(textPaidAt, s.tr(textNotKnownYet))),
		app.If(o.PaymentNo != "", row(textPaymentNo, o.PaymentNo)),
		app.If(o.CreatedAt != 0, row(textOrderedAt, beijingTime(o.CreatedAt))),
		row(textOrderNo, o.ID))
}

// refundedNote shows how much of an order was refunded, or that a refund is in progress.
func (s *base) refundedNote(o api.Order) app.UI {
	if o.Refunded == 0 {
		return elem("p").Class("back").Text(s.tr(textRefunding))
	}
	return elem("p").Class("back").Body(app.Text(s.tr(textRefunded)+" "), s.price(o.Refunded, ""))
}

// paidTwiceNote tells the buyer that the order was paid twice, and the status of the refund of the
// second payment.
func (s *base) paidTwiceNote(o api.Order) app.UI {
	return elem("div").Body(app.Range(o.Refunds).Slice(func(i int) app.UI {
		r := o.Refunds[i]
		return app.If(r.Duplicate, elem("p").Class("twice").Role("status").DataSet("duplicate", string(r.Status)).Body(
			app.Text(s.tr(duplicates[r.Status])+" "), s.price(r.Amount, "")))
	}))
}

// timeline shows the status changes of an order, the last one first.
func (s *base) timeline(o api.Order) app.UI {
	return elem("ol").Class("sheet timeline").Body(app.Range(o.Timeline).Slice(func(i int) app.UI {
		step := o.Timeline[len(o.Timeline)-1-i]
		return elem("li").Body(
			elem("span").Class("what").Text(s.tr(steps[step.Status])),
			elem("time").Text(beijingTime(step.At)))
	}))
}

// refundList lists the refunds of an order.
func (s *base) refundList(o api.Order) app.UI {
	return elem("ul").Class("sheet refunds").Body(app.Range(o.Refunds).Slice(func(i int) app.UI {
		r := o.Refunds[i]
		at := r.CreatedAt
		if r.EndedAt != 0 {
			at = r.EndedAt
		}
		return elem("li").DataSet("refund", string(r.Status)).Body(
			elem("div").Class("what").Body(
				elem("p").Text(s.tr(refunds[r.Status])),
				app.If(r.Reason != "", elem("p").Class("note").Text(r.Reason)),
				elem("time").Text(beijingTime(at))),
			s.price(r.Amount, ""))
	}))
}

// beijingTime formats Unix milliseconds. WebAssembly has no time zone data. WeChat's bills use
// Beijing time everywhere.
func beijingTime(ms int64) string {
	return cst.In(time.UnixMilli(ms)).Format("2006-01-02 15:04:05")
}
