package main

import (
	"cmp"
	"strconv"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
)

// shopPage is the start: the catalogue, the basket, and the way to pay.
type shopPage struct {
	app.Compo
	base

	name     string
	products []api.Product // nil while loading
	basket   basket
	ordering bool
}

func newShopPage(b browser) *shopPage { return &shopPage{base: newBase(b), basket: basket{}} }

func (p *shopPage) OnMount(ctx app.Context) {
	p.begin()
	p.basket = loadBasket(p.b)
	p.b.OnReturn(func() {
		ctx.Dispatch(func(ctx app.Context) {
			p.basket, p.ordering = loadBasket(p.b), false
			if p.products == nil || p.err != nil {
				p.load(ctx)
			}
		})
	})
	p.load(ctx)
}

func (p *shopPage) OnDismount() { p.end() }

// load signs in where that is possible and fetches what the shop shows.
func (p *shopPage) load(ctx app.Context) {
	fetch := func() (func(), error) {
		var config api.Config
		var list api.ProductList
		if err := call(p.ctx, p.b, "GET", api.PathConfig, nil, &config); err != nil {
			return nil, err
		}
		if err := call(p.ctx, p.b, "GET", api.PathProducts, nil, &list); err != nil {
			return nil, err
		}
		return func() {
			p.name = config.ShopName
			ctx.Page().SetTitle(cmp.Or(p.name, textTitle))
			p.products = append([]api.Product{}, list.Products...)
		}, nil
	}
	p.run(ctx, func() (func(), error) {
		// Here rather than at the order, where it would cost the user a tap.
		if p.place == inWeChat {
			if done, err := p.signIn(); err != nil || !done {
				return nil, err
			}
		}
		return fetch()
	})
}

// order makes the order of the basket and enters its pay page by a real
// navigation: on iOS the payment directory is judged by the address at which
// the web view was loaded.
func (p *shopPage) order(ctx app.Context, _ app.Event) {
	items := p.basket.items(p.products)
	if p.ordering || len(items) == 0 {
		return
	}
	p.ordering = true
	ctx.Async(func() {
		id, err := placeOrder(p.ctx, p.b, items)
		if err == nil {
			p.b.Assign("/pay?order=" + id) // which goes on to the result of a paid one
			return
		}
		ctx.Dispatch(func(app.Context) { p.err, p.ordering = err, false })
	})
}

func (p *shopPage) Render() app.UI {
	if p.err != nil {
		return app.Main().Class("screen").Body(p.failure(p.load))
	}
	return app.Main().Class("screen shop").Body(
		app.If(p.place != inWeChat, p.banner()),
		app.Header().Class("banner").Body(app.H1().Text(p.name)),
		app.If(p.products == nil, skeletonCards()).
			ElseIf(len(p.products) == 0, message("info", textEmpty, textSoldOut, "", primary(textRetry, func(ctx app.Context, _ app.Event) { p.load(ctx) }))).
			Else(app.Ul().Class("cards").Body(app.Range(p.products).Slice(func(i int) app.UI { return p.card(p.products[i]) }))),
		p.bar(),
	)
}

func (p *shopPage) card(product api.Product) app.UI {
	n := p.basket[product.ID]
	change := func(by int) app.EventHandler {
		return func(app.Context, app.Event) {
			p.basket.add(product.ID, by)
			p.basket.save(p.b)
		}
	}
	return app.Li().Class("card").DataSet("product", product.ID).Body(
		app.If(product.Image != "", app.Img().Class("picture").Src(product.Image).Alt("").Width(88).Height(88)).
			Else(app.Div().Class("picture")),
		app.Div().Class("about").Body(
			app.H2().Text(product.Name),
			app.P().Text(product.Detail),
			app.Div().Class("row").Body(
				price(product.Price, ""),
				app.Div().Class("stepper").Role("group").Aria("label", product.Name).Body(
					app.If(n > 0,
						step(product.ID, "remove", textRemove, "−", false, change(-1)),
						app.Output().Aria("live", "polite").Text(strconv.Itoa(n))),
					step(product.ID, "add", textAdd, "+", n >= api.MaxQuantity || n == 0 && p.basket.full(), change(1)),
				),
			),
		),
	)
}

// step is one of the two round buttons. go-app takes two closures of the same
// code for the same handler unless their scope differs: without one, a button
// that turns from + into − may go on adding.
func step(id, action, label, sign string, disabled bool, on app.EventHandler) app.UI {
	return app.Button().Class("step "+action).Type("button").Aria("label", label).
		DataSet("action", action).Disabled(disabled).Text(sign).OnClick(on, id, action)
}

// bar is the total at the foot of the screen.
func (p *shopPage) bar() app.UI {
	total, count := p.basket.total(p.products)
	label := textCheckout
	switch {
	case p.place != inWeChat:
		label = textOutside
	case p.ordering:
		label = textOrdering
	case count > 0:
		label += " (" + strconv.Itoa(count) + ")"
	}
	return app.Footer().Class("bar").Body(
		app.Div().Class("total").Aria("live", "polite").Body(
			app.If(count > 0, app.Span().Text(textTotal), price(total, "big")).
				Else(app.Span().Class("hint").Text(textNothing))),
		app.Button().Class("weui-btn weui-btn_primary").Type("button").DataSet("action", "checkout").
			Disabled(count == 0 || p.ordering || p.place != inWeChat).Text(label).OnClick(p.order),
	)
}

// skeletonCards stand where the catalogue will be.
func skeletonCards() app.UI {
	return app.Ul().Class("cards").Aria("busy", "true").Aria("label", textLoading).Body(
		app.Range(make([]struct{}, 5)).Slice(func(int) app.UI {
			return app.Li().Class("card skeleton").Aria("hidden", "true").Body(
				app.Div().Class("picture"),
				app.Div().Class("about").Body(app.Div().Class("line"), app.Div().Class("line short"), app.Div().Class("line price-line")))
		}))
}
