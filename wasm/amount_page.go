package main

import (
	"context"
	"strconv"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
)

// amountPage lets the payer enter the amount of a product without a fixed price.
type amountPage struct {
	app.Compo
	base

	shop          string
	product       *api.Product    // nil while loading
	acceptedTypes []api.TradeType // trade types that the shop accepts
	amount        entry
	ordering      bool
}

func newAmountPage(b browser) *amountPage { return &amountPage{base: newBase(b, textAmountTitle)} }

func (p *amountPage) OnMount(ctx app.Context) {
	p.begin(ctx, func(ctx app.Context, from returnKind) {
		if from == fromHistory {
			p.ordering = false
		}
		if p.product == nil {
			p.load(ctx)
		}
	})
	stop := p.b.OnKey(func(key string) {
		ctx.Dispatch(func(ctx app.Context) {
			if key == "Enter" {
				p.order(ctx, app.Event{})
				return
			}
			p.amount = p.amount.press(key)
		})
	})
	context.AfterFunc(p.ctx, stop)
	p.load(ctx)
}

func (p *amountPage) load(ctx app.Context) {
	id := idParam(p.b.Query(), "product")
	p.run(ctx, func() (func(), error) {
		config, products, ok, err := p.catalogue(ctx)
		if err != nil || !ok {
			return nil, err
		}
		for _, product := range products {
			if product.ID == id && product.Amount != nil && !product.SoldOut() {
				return func() {
					p.shop, p.product, p.acceptedTypes = config.ShopName, &product, config.TradeTypes
				}, nil
			}
		}
		return nil, &api.Error{Code: codeNoProduct}
	})
}

// fits reports whether the amount is within the product's bounds.
func (p *amountPage) fits() bool {
	n := p.amount.fen()
	return p.product != nil && n >= p.product.Amount.Min && n <= p.product.Amount.Max
}

// order creates the order and loads its pay page. Repeated taps with the same amount give the same
// order.
func (p *amountPage) order(ctx app.Context, _ app.Event) {
	if p.ordering || !p.fits() || !p.sells() {
		return
	}
	p.ordering = true
	d, amount := draft{p.b, p.product.ID}, p.amount.fen()
	if named := strconv.FormatInt(int64(amount), 10); d.recall(keyAmount) != named {
		d.change()
		d.remember(keyAmount, named)
	}
	p.submit(ctx, d, []api.OrderItem{{ProductID: d.name, Quantity: 1, Amount: amount}}, amount, func() { p.ordering = false })
}

// sells reports whether an order can be paid here.
func (p *amountPage) sells() bool { return p.place.canPayWith(p.acceptedTypes) }

func (p *amountPage) Render() app.UI {
	switch {
	case p.err != nil:
		return p.screen("", p.failure(p.load))
	case p.product == nil:
		return p.screen("till", p.skeletonSheet()).Aria("busy", "true")
	case !p.sells():
		return p.screen("", p.outsideMessage())
	}
	return p.screen("till",
		elem("header").Class("payee").Body(
			picture(p.product.Image),
			elem("div").Body(elem("h1").Text(p.product.Name), elem("p").Text(p.shop))),
		p.amountSheet(p.amount, *p.product.Amount, p.amount != "" && !p.fits()),
		p.keypad(&p.amount, p.ordering, p.fits(), p.order))
}

// amountSheet shows the amount that the payer has entered, and its bounds.
func (s *base) amountSheet(amount entry, bounds api.AmountBounds, wrong bool) app.UI {
	class := "note"
	if wrong {
		class = "note wrong"
	}
	return elem("div").Class("sheet entry").Body(
		elem("p").ID("named").Text(s.tr(textAmount)),
		elem("output").Class("typed").Aria("labelledby", "named").Aria("live", "polite").Body(
			elem("span").Class("sign").Text("¥"), elem("span").Text(string(amount)), elem("span").Class("caret").Aria("hidden", "true")),
		elem("p").Class(class).Body(app.Text(s.tr(textWithin)+" "), s.bounds(bounds)))
}

// keypad is the number pad at the bottom of the screen, which changes an amount and orders. WeChat's
// own payment screens have the same.
func (s *base) keypad(amount *entry, ordering, fits bool, order app.EventHandler) app.UI {
	key := func(name, label, sign string) app.UI {
		return elem("button").Class("key").Attr("type", "button").DataSet("key", name).Aria("label", label).Text(sign).
			OnClick(func(app.Context, app.Event) { *amount = amount.press(name) }, name)
	}
	var keys []app.UI
	for _, name := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "0", "."} {
		label := name
		if name == "." {
			label = s.tr(textPoint)
		}
		keys = append(keys, key(name, label, name))
	}
	label := textPayNow
	if ordering {
		label = textOrdering
	}
	keys = append(keys, key("Backspace", s.tr(textBackspace), "⌫"),
		elem("button").Class("key enter").Attr("type", "button").DataSet("action", "checkout").
			Attr("disabled", ordering || !fits).Text(s.tr(label)).OnClick(order))
	return elem("div").Class("pad").Role("group").Aria("label", s.tr(textPad)).Body(keys...)
}
