package main

import (
	"strconv"
	"strings"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
)

// envShopName is a go-app environment variable with the shop's name at build time. It is known
// before the first response of the signer.
const envShopName = "SHOP_NAME"

// shopPage is the start page: the catalogue, the basket and the checkout button.
type shopPage struct {
	app.Compo
	base

	name          string
	products      []api.Product   // nil while loading
	acceptedTypes []api.TradeType // trade types that the shop accepts
	basket        basket
	ordering      bool
	signingIn     bool // while the catalogue is shown: checkout waits
	loading       bool // whether the program is not running yet, or the products may be old: nothing can be bought
}

func newShopPage(b browser) *shopPage {
	p := &shopPage{base: newBase(b, textTitle), basket: loadBasket(b)}
	p.rename(app.Getenv(envShopName))
	if c, old := takeCatalogue(b); len(c.Products) > 0 {
		p.show(c.Config, c.Products)
		p.loading, p.signingIn = old, p.place.signsIn() // OnMount signs in; until then the page waits too
	}
	p.takeEarlyTaps()
	return p
}

// takeEarlyTaps puts into the basket what the shopper tapped before this program had drawn the page.
func (p *shopPage) takeEarlyTaps() {
	taps := p.b.Recall(keyTaps)
	if taps == "" {
		return
	}
	p.b.Remember(keyTaps, "")
	before := p.basket.pieces()
	for id := range strings.SplitSeq(taps, " ") {
		p.basket.add(id, 1)
	}
	p.basket.fit(p.products)
	if p.basket.pieces() != before {
		p.basket.save(p.b)
	}
}

// show shows a catalogue.
func (p *shopPage) show(config api.Config, products []api.Product) {
	p.rename(config.ShopName)
	p.products, p.acceptedTypes = products, config.TradeTypes
	p.basket.fit(products)
}

// rename sets the shop's name, "" if it is unknown.
func (p *shopPage) rename(name string) {
	if p.name = name; name != "" {
		p.title = text{name, name}
	}
}

func (p *shopPage) OnMount(ctx app.Context) {
	p.takeEarlyTaps() // those since newShopPage, which ran in an earlier task
	p.begin(ctx, func(ctx app.Context, from returnKind) {
		p.basket = loadBasket(p.b)
		p.basket.fit(p.products)
		if from == fromHistory {
			p.ordering = false
		}
		if p.products == nil || p.err != nil || p.signingIn || p.loading {
			p.load(ctx)
		}
	})
	switch {
	case p.products == nil || p.loading:
		p.load(ctx)
	case p.place.signsIn():
		p.signInAhead(ctx)
	}
}

// signInAhead signs in while the catalogue is shown, which saves the user a tap at checkout.
func (p *shopPage) signInAhead(ctx app.Context) {
	p.signingIn = true
	p.run(ctx, func() (func(), error) {
		done, err := p.signIn(ctx)
		if err != nil || !done {
			return nil, err
		}
		return func() { p.signingIn = false }, nil
	})
}

// load signs in where that is possible and fetches the catalogue.
func (p *shopPage) load(ctx app.Context) {
	p.run(ctx, func() (func(), error) {
		config, products, ok, err := p.catalogue(ctx)
		if err != nil || !ok {
			return nil, err
		}
		return func() {
			p.show(config, products)
			p.applyLang(ctx)
			p.signingIn, p.loading = false, false
		}, nil
	})
}

// order creates the order of the basket and loads its pay page. iOS checks the payment directory
// against the address at which the web view was loaded (docs/wechat.md 5.5).
func (p *shopPage) order(ctx app.Context, _ app.Event) {
	items := p.basket.items(p.products)
	if p.ordering || p.signingIn || p.loading || len(items) == 0 || !p.sells() {
		return
	}
	p.ordering = true
	total, _ := p.basket.total(p.products)
	p.submit(ctx, draft{p.b, ""}, items, total, func() {
		p.ordering = false
		if c := code(p.err); c == api.CodePriceChanged || c == api.CodeOutOfStock {
			p.products = nil
		}
	})
}

// sells reports whether an order can be paid here.
func (p *shopPage) sells() bool { return p.place.canPayWith(p.acceptedTypes) }

func (p *shopPage) Render() app.UI {
	if p.err != nil {
		return p.screen("", p.failure(p.load))
	}
	return p.screen("shop",
		app.If(p.products != nil && !p.sells(), p.banner()),
		elem("header").Class("banner").Body(
			elem("h1").Text(p.name),
			elem("a").Class("to-orders").Attr("href", "/orders").Body(p.avatar(), p.bilingual(textOrders))),
		p.cards(),
		p.footer(),
		p.bar(),
		p.basketSheet(),
	).DataSet("waits", strconv.FormatBool(p.products == nil || p.signingIn || p.loading))
}

// cards are the products, or what is shown instead.
func (p *shopPage) cards() app.UI {
	switch {
	case p.products == nil:
		return p.skeletonCards()
	case len(p.products) == 0:
		return p.message("weui-icon-info", textEmpty, textSoldOut, "",
			p.primary(textRetry, func(ctx app.Context, _ app.Event) { p.load(ctx) }))
	}
	return elem("ul").Class("cards").Body(app.Range(p.products).Slice(func(i int) app.UI { return p.card(p.products[i]) }))
}

func (p *shopPage) card(product api.Product) app.UI {
	var buy, cost app.UI
	if product.Amount != nil {
		cost = p.bounds(*product.Amount)
		buy = elem("a").Class("weui-btn weui-btn_mini weui-btn_default").Attr("href", "/amount?product="+product.ID).
			Aria("label", p.tr(textEnterAmount)+" "+product.Name).Text(p.tr(textEnterAmount))
	} else {
		cost, buy = p.price(product.Price, ""), p.stepper(product, "card")
	}
	if product.SoldOut() {
		buy = elem("button").Class("weui-btn weui-btn_mini weui-btn_default").Attr("type", "button").DataSet("action", "sold-out").
			Attr("disabled", true).Aria("label", p.tr(textLinkSoldOut)+" "+product.Name).Text(p.tr(textLinkSoldOut))
	}
	return elem("li").Class("card").DataSet("product", product.ID).Body(
		picture(product.Image),
		elem("div").Class("about").Body(
			elem("h2").Text(product.Name),
			elem("p").Text(product.Detail),
			elem("div").Class("row").Body(cost, buy)))
}

// picture shows a product's picture, or a grey square.
func picture(src string) app.UI {
	if src == "" {
		return elem("div").Class("picture")
	}
	return elem("img").Class("picture").Attr("src", src).Attr("alt", "").Attr("width", 176).Attr("height", 176)
}

// stepper changes the quantity of a product. where names the place of the stepper: the card or the
// basket sheet.
func (p *shopPage) stepper(product api.Product, where string) app.UI {
	n := p.basket[product.ID]
	change := func(by int) app.EventHandler {
		return func(app.Context, app.Event) {
			p.basket.add(product.ID, by)
			p.basket.save(p.b)
		}
	}
	// The style shows the elements from right to left. If the first one were removed, go-app would turn the
	// focused button into its neighbour.
	return elem("div").Class("stepper").Role("group").Aria("label", product.Name).Body(
		p.step(product.ID+where, "add", textAdd, "+", p.loading || n >= most(product) || n == 0 && p.basket.full(), change(1)),
		app.If(n > 0,
			elem("output").Aria("live", "polite").Text(strconv.Itoa(n)),
			p.step(product.ID+where, "remove", textRemove, "−", false, change(-1))))
}

// step is one of the two round buttons. go-app treats two closures of the same code as one handler
// unless their scope differs. Without a scope, a button could change the product that was in its
// row before.
func (p *shopPage) step(scope, action string, label text, sign string, disabled bool, on app.EventHandler) app.HTMLElem {
	return elem("button").Class("step "+action).Attr("type", "button").Aria("label", p.tr(label)).
		DataSet("action", action).Attr("disabled", disabled).Text(sign).OnClick(on, scope, action)
}

// bar is the bottom of the screen: the basket, its total and the checkout button.
func (p *shopPage) bar() app.UI {
	total, count := p.basket.total(p.products)
	label := p.bilingual(textCheckout)
	switch {
	case p.products != nil && !p.sells():
		label = p.bilingual(textOutside)
	case p.ordering:
		label = p.bilingual(textOrdering)
	case count > 0:
		label = app.Text(p.tr(textCheckout) + " (" + strconv.Itoa(count) + ")")
	}
	return elem("div").Class("bar").Role("region").Aria("label", p.tr(textBasket)).Body(
		elem("button").Class("bag").Attr("type", "button").DataSet("action", "basket").Attr("disabled", count == 0).
			Aria("label", p.tr(textBasket)+" "+strconv.Itoa(count)).Aria("haspopup", "dialog").OnClick(p.openBasket).Body(
			app.If(count > 0, elem("span").Class("weui-badge").Text(strconv.Itoa(count)))),
		elem("div").Class("total").Aria("live", "polite").Body(
			app.If(count > 0, elem("span").Class("word").Text(p.tr(textTotal)), p.price(total, "big")).
				Else(elem("span").Class("hint").Body(p.bilingual(textChooseProducts)))),
		elem("button").Class("weui-btn weui-btn_primary").Attr("type", "button").DataSet("action", "checkout").
			Attr("disabled", count == 0 || p.ordering || p.signingIn || p.loading || !p.sells()).Body(label).OnClick(p.order))
}

// skeletonCards are the placeholders of the catalogue.
func (p *shopPage) skeletonCards() app.UI {
	return elem("ul").Class("cards").Aria("busy", "true").Aria("label", p.tr(textLoading)).Body(
		app.Range(make([]struct{}, 5)).Slice(func(int) app.UI {
			return elem("li").Class("card skeleton").Aria("hidden", "true").Body(
				elem("div").Class("picture"),
				elem("div").Class("about").Body(elem("div").Class("line"), elem("div").Class("line short"), elem("div").Class("line price-line")))
		}))
}
