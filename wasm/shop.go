package main

import (
	"strconv"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
)

// envShop is a setting of go-app's: the name of the shop, as it was when the site
// was made. It is there before the signer has been asked.
const envShop = "SHOP_NAME"

// shopPage is the start: the catalogue, the basket, and the way to pay.
type shopPage struct {
	app.Compo
	base

	name     string
	products []api.Product // nil while loading
	basket   basket
	ordering bool
}

func newShopPage(b browser) *shopPage {
	p := &shopPage{base: newBase(b, textTitle), basket: basket{}}
	p.rename(app.Getenv(envShop))
	return p
}

// rename gives the shop its name, "" when it is not known.
func (p *shopPage) rename(name string) {
	if p.name = name; name != "" {
		p.title = text{name, name}
	}
}

func (p *shopPage) OnMount(ctx app.Context) {
	p.begin(ctx, func(ctx app.Context, from returned) {
		p.basket = loadBasket(p.b)
		if from == fromHistory {
			p.ordering = false
		}
		if p.products == nil || p.err != nil {
			p.load(ctx)
		}
	})
	p.basket = loadBasket(p.b)
	p.load(ctx)
}

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
			p.rename(config.ShopName)
			p.speak(ctx)
			p.products = append([]api.Product{}, list.Products...)
		}, nil
	}
	p.run(ctx, func() (func(), error) {
		// Here rather than at the order, where it would cost the user a tap.
		if p.place.pays() {
			if done, err := p.signIn(ctx); err != nil || !done {
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
		return elem("main").Class("screen").Body(p.failure(p.load))
	}
	return elem("main").Class("screen shop").Body(
		app.If(!p.place.pays(), p.banner()),
		elem("header").Class("banner").Body(elem("h1").Text(p.name)),
		app.If(p.products == nil, p.skeletonCards()).
			ElseIf(len(p.products) == 0, p.message("weui-icon-info", textEmpty, textSoldOut, "", p.primary(textRetry, func(ctx app.Context, _ app.Event) { p.load(ctx) }))).
			Else(elem("ul").Class("cards").Body(app.Range(p.products).Slice(func(i int) app.UI { return p.card(p.products[i]) }))),
		p.foot(),
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
	return elem("li").Class("card").DataSet("product", product.ID).Body(
		app.If(product.Image != "", elem("img").Class("picture").Attr("src", product.Image).Attr("alt", "").Attr("width", 88).Attr("height", 88)).
			Else(elem("div").Class("picture")),
		elem("div").Class("about").Body(
			elem("h2").Text(product.Name),
			elem("p").Text(product.Detail),
			elem("div").Class("row").Body(
				p.price(product.Price, ""),
				elem("div").Class("stepper").Role("group").Aria("label", product.Name).Body(
					app.If(n > 0,
						p.step(product.ID, "remove", textRemove, "−", false, change(-1)),
						elem("output").Aria("live", "polite").Text(strconv.Itoa(n))),
					p.step(product.ID, "add", textAdd, "+", n >= api.MaxQuantity || n == 0 && p.basket.full(), change(1)),
				),
			),
		),
	)
}

// step is one of the two round buttons. go-app takes two closures of the same
// code for the same handler unless their scope differs: without one, a button
// that turns from + into − may go on adding.
func (p *shopPage) step(id, action string, label text, sign string, disabled bool, on app.EventHandler) app.UI {
	return elem("button").Class("step "+action).Attr("type", "button").Aria("label", p.say(label)).
		DataSet("action", action).Attr("disabled", disabled).Text(sign).OnClick(on, id, action)
}

// bar is the total at the foot of the screen.
func (p *shopPage) bar() app.UI {
	total, count := p.basket.total(p.products)
	label := p.say(textCheckout)
	switch {
	case !p.place.pays():
		label = p.say(textOutside)
	case p.ordering:
		label = p.say(textOrdering)
	case count > 0:
		label += " (" + strconv.Itoa(count) + ")"
	}
	return elem("footer").Class("bar").Body(
		elem("div").Class("total").Aria("live", "polite").Body(
			app.If(count > 0, elem("span").Text(p.say(textTotal)), p.price(total, "big")).
				Else(elem("span").Class("hint").Body(p.words(textNothing)))),
		elem("button").Class("weui-btn weui-btn_primary").Attr("type", "button").DataSet("action", "checkout").
			Attr("disabled", count == 0 || p.ordering || !p.place.pays()).Text(label).OnClick(p.order),
	)
}

// skeletonCards stand where the catalogue will be.
func (p *shopPage) skeletonCards() app.UI {
	return elem("ul").Class("cards").Aria("busy", "true").Aria("label", p.say(textLoading)).Body(
		app.Range(make([]struct{}, 5)).Slice(func(int) app.UI {
			return elem("li").Class("card skeleton").Aria("hidden", "true").Body(
				elem("div").Class("picture"),
				elem("div").Class("about").Body(elem("div").Class("line"), elem("div").Class("line short"), elem("div").Class("line price-line")))
		}))
}
