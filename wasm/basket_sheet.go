package main

import (
	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
	"h5pay/internal/fen"
)

const basketSheet = "basket"

func (p *shopPage) openBasket(app.Context, app.Event) { p.b.OpenDialog(basketSheet) }

// basketSheet lists the chosen products in a dialog at the bottom of the screen.
func (p *shopPage) basketSheet() app.UI {
	var chosen []api.Product
	for _, product := range p.products {
		if p.basket[product.ID] > 0 && product.Amount == nil {
			chosen = append(chosen, product)
		}
	}
	closeSheet := func(app.Context, app.Event) { p.b.CloseDialog(basketSheet) }
	return elem("dialog").ID(basketSheet).Class("half").Aria("labelledby", "basket-title").Attr("closedby", "any").Body(
		elem("header").Body(
			elem("button").Class("plain").Attr("type", "button").DataSet("action", "close").Text(p.tr(textClose)).OnClick(closeSheet),
			elem("h2").ID("basket-title").Text(p.tr(textBasket)),
			elem("button").Class("plain").Attr("type", "button").DataSet("action", "empty").Attr("disabled", len(chosen) == 0).
				Text(p.tr(textClear)).OnClick(func(app.Context, app.Event) {
				clear(p.basket)
				p.basket.save(p.b)
				p.b.CloseDialog(basketSheet)
			})),
		app.If(len(chosen) == 0, elem("p").Class("none").Text(p.tr(textChooseProducts))).
			Else(elem("ul").Body(app.Range(chosen).Slice(func(i int) app.UI {
				product := chosen[i]
				return elem("li").Body(
					elem("span").Class("what").Text(product.Name),
					p.price(product.Price*fen.Fen(p.basket[product.ID]), ""),
					p.stepper(product, "sheet"))
			}))))
}
