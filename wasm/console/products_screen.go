package main

import (
	"context"
	"net/url"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/v1"
)

var (
	textNewProduct     = text{"新商品", "New product"}
	textForSale        = text{"在售", "For sale"}
	textWithdrawn      = text{"已下架", "Withdrawn"}
	textUp             = text{"上移", "Move up"}
	textDown           = text{"下移", "Move down"}
	textNoProducts     = text{"没有商品", "No products"}
	textNoProductsHint = text{"添加第一件商品，顾客就能下单", "Add the first one, and customers can order"}
	textStock          = text{"库存", "Stock"}
	textSoldOut        = text{"已售罄", "Sold out"}
	textOversold       = text{"超卖", "Oversold by"}
	textSorted         = text{"顺序已保存", "The order is saved"}
)

// productsScreen lists the catalogue and sorts it.
type productsScreen struct {
	app.Compo
	base

	products []v1.Product
}

func newProductsScreen(c *console) *productsScreen {
	return &productsScreen{base: base{c: c, path: "/console/products", title: textProducts}}
}

func (p *productsScreen) OnMount(ctx app.Context) {
	p.read = func(ctx app.Context) {
		p.run(ctx, func() (func(), error) {
			var list v1.Products
			err := p.get("/v1/products", &list)
			return func() { p.products = list.Products }, err
		})
	}
	p.begin(ctx, false)
}

func (p *productsScreen) Render() app.UI {
	if !p.loaded {
		return p.frame()
	}
	list := p.nothing(textNoProducts, textNoProductsHint)
	if len(p.products) > 0 {
		list = elem("ul").Class("list products").Body(app.Range(p.products).Slice(func(i int) app.UI { return p.entry(i) }))
	}
	return p.frame(app.If(p.may(v1.ScopeWrite), elem("p").Class("actions").Body(
		elem("a").Class("weui-btn weui-btn_mini weui-btn_primary").Attr("href", "/console/product").Text(p.tr(textNewProduct)))), list)
}

func (p *productsScreen) entry(i int) app.UI {
	one := p.products[i]
	status, kind := textForSale, "good"
	if !one.ForSale {
		status, kind = textWithdrawn, "off"
	}
	var move []app.UI
	if p.may(v1.ScopeWrite) {
		if i > 0 {
			move = append(move, p.moveButton("↑", textUp, i, i-1))
		}
		if i < len(p.products)-1 {
			move = append(move, p.moveButton("↓", textDown, i, i+1))
		}
	}
	return elem("li").DataSet("product", one.ID).Body(
		elem("a").Attr("href", "/console/product?id="+url.QueryEscape(one.ID)).Body(
			picture(one.Image),
			elem("span").Class("what").Body(elem("strong").Text(one.Name), elem("span").Class("small").Text(one.Detail)),
			elem("span").Class("much").Body(p.money(one.Price), p.badge(status, kind, kind), p.stock(one))),
		elem("span").Class("move").Body(move...))
}

// stock shows the stock of a product, nothing if none is kept.
func (s *base) stock(one v1.Product) app.UI {
	switch {
	case one.Stock == nil:
		return nil
	case *one.Stock < 0:
		return elem("span").Class("tag bad").DataSet("stock", "oversold").Text(s.tr(textOversold) + " " + count(int(-*one.Stock)))
	case *one.Stock == 0:
		return s.badge(textSoldOut, "wait", "sold-out")
	}
	return elem("span").Class("tag off").DataSet("stock", "left").Text(s.tr(textStock) + " " + count(int(*one.Stock)))
}

func picture(src string) app.UI {
	if src == "" {
		return elem("span").Class("picture").Aria("hidden", "true")
	}
	return elem("img").Class("picture").Attr("src", src).Attr("alt", "").Attr("loading", "lazy")
}

func (p *productsScreen) moveButton(sign string, label text, from, to int) app.UI {
	return elem("button").Class("step").Attr("type", "button").Attr("disabled", p.working).
		Aria("label", p.tr(label)+": "+p.products[from].Name).Text(sign).
		OnClick(func(app.Context, app.Event) { p.move(from, to) }, p.products[from].ID, sign)
}

// move moves a product in the list. Only products whose position changes are stored.
func (p *productsScreen) move(from, to int) {
	products := append([]v1.Product{}, p.products...)
	products[from], products[to] = products[to], products[from]
	p.act(p.page, textSorted, func(ctx context.Context) (func(), error) {
		for i := range products {
			position := int64(i+1) * 10
			if products[i].Position == position {
				continue
			}
			products[i].Position = position
			if err := p.put(ctx, products[i]); err != nil {
				return nil, err
			}
		}
		return func() { p.products = products }, nil
	})
}

// put stores a product.
func (s *base) put(ctx context.Context, one v1.Product) error {
	return call(ctx, s.c.b, "PUT", "/v1/products/"+url.PathEscape(one.ID), v1.PutProduct{Name: one.Name, Detail: one.Detail, Image: one.Image,
		Price: one.Price, MinAmount: one.MinAmount, MaxAmount: one.MaxAmount, Position: one.Position, ForSale: &one.ForSale}, nil, "")
}
