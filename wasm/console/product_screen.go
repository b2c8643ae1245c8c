package main

import (
	"context"
	"crypto/rand"
	"net/url"
	"strings"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/fen"
	"h5pay/internal/v1"
)

var (
	textProduct      = text{"商品", "Product"}
	textName         = text{"名称", "Name"}
	textDetail       = text{"说明", "Detail"}
	textPrice        = text{"价格（元）", "Price in yuan"}
	textOpenAmount   = text{"由顾客输入金额", "The payer names the amount"}
	textLeast        = text{"最少（元）", "At least, in yuan"}
	textMost         = text{"最多（元）", "At most, in yuan"}
	textPhoto        = text{"照片", "Photo"}
	textPhotoHint    = text{"拍照或选择图片，会在本机缩小到 200 kB 以内", "Take a photo or choose a picture. It is scaled on this device to 200 kB at most"}
	textPhotoStored  = text{"照片已上传，保存后生效", "The photo is stored. Save the product to show it"}
	textBadPhoto     = text{"无法读取这张图片，请换一张", "This picture cannot be read. Choose another one"}
	textNoPhoto      = text{"去掉照片", "Remove the photo"}
	textRemove       = text{"删除商品", "Remove the product"}
	textRemoveTitle  = text{"确定删除商品？", "Remove this product?"}
	textRemoveHint   = text{"已有订单不受影响", "Orders keep their lines"}
	textRemoved      = text{"商品已删除", "The product is removed"}
	textNameMissing  = text{"请输入名称", "Enter a name"}
	textPriceOutside = text{"价格应在最少和最多之间", "The price has to be within the bounds"}
)

// maxPhoto is the size of a photo in bytes that the console sends.
const maxPhoto = 200_000

// productScreen edits a product, or makes one.
type productScreen struct {
	app.Compo
	base

	isNew              bool
	product            v1.Product
	price, least, most string // as typed, in yuan
	open               bool   // the payer names the amount
}

func newProductScreen(c *console) *productScreen {
	return &productScreen{base: base{c: c, path: "/console/products", title: textProduct}}
}

func (p *productScreen) OnMount(ctx app.Context) {
	id := param(p.c.b.Query(), "id")
	if p.isNew = id == ""; p.isNew {
		p.title = textNewProduct
		p.product = v1.Product{ID: strings.ToLower(rand.Text()[:12]), ForSale: true}
	}
	p.read = func(ctx app.Context) {
		if p.isNew {
			p.run(ctx, func() (func(), error) { return nil, nil })
			return
		}
		if p.loaded { // what is typed stays
			return
		}
		p.run(ctx, func() (func(), error) {
			var one v1.Product
			err := p.get("/v1/products/"+url.PathEscape(id), &one)
			return func() { p.show(one) }, err
		})
	}
	p.begin(ctx, false)
}

func (p *productScreen) show(one v1.Product) {
	p.product, p.price, p.open = one, one.Price.String(), one.MaxAmount > 0
	if p.open {
		p.least, p.most = one.MinAmount.String(), one.MaxAmount.String()
	}
}

func (p *productScreen) Render() app.UI {
	if !p.loaded {
		return p.frame()
	}
	back := elem("p").Class("up").Body(elem("a").Attr("href", "/console/products").Text("‹ " + p.tr(textBack)))
	if !p.may(v1.ScopeWrite) {
		return p.frame(back, elem("div").Body(picture(p.product.Image)), elem("dl").Class("facts").Body(
			p.rowText(textName, p.product.Name), p.rowText(textDetail, p.product.Detail), p.row(textPrice, p.money(p.product.Price))))
	}
	one := &p.product
	var bounds, remove, noPhoto app.UI
	if p.open {
		bounds = elem("div").Class("pair").Body(
			p.field("least", textLeast, "text", p.least, func(v string) { p.least = v }, "inputmode", "decimal", "autocomplete", "off"),
			p.field("most", textMost, "text", p.most, func(v string) { p.most = v }, "inputmode", "decimal", "autocomplete", "off"))
	}
	if one.Image != "" {
		noPhoto = p.mini(textNoPhoto, func(app.Context) { one.Image = "" })
	}
	if !p.isNew {
		remove = elem("p").Class("actions").Body(p.mini(textRemove, func(ctx app.Context) {
			p.confirm(ctx, confirmation{textRemoveTitle, one.Name + ": " + p.tr(textRemoveHint), textRemove, p.remove})
		}))
	}
	return p.frame(back, elem("form").Class("form").OnSubmit(p.save).Body(
		elem("div").Class("photo").Body(picture(one.Image), elem("div").Body(
			elem("label").Attr("for", "photo").Text(p.tr(textPhoto)),
			elem("input").ID("photo").Attr("type", "file").Attr("accept", "image/*").Aria("describedby", "photo-hint").Attr("disabled", p.working).OnChange(p.takePhoto),
			elem("p").ID("photo-hint").Class("small").Text(p.tr(textPhotoHint)), noPhoto)),
		p.field("name", textName, "text", one.Name, func(v string) { one.Name = v }, "maxlength", "80", "autocomplete", "off"),
		p.field("detail", textDetail, "text", one.Detail, func(v string) { one.Detail = v }, "maxlength", "200", "autocomplete", "off"),
		p.field("price", textPrice, "text", p.price, func(v string) { p.price = v }, "inputmode", "decimal", "autocomplete", "off"),
		p.check("open", textOpenAmount, p.open, func(on bool) { p.open = on }),
		bounds,
		p.check("sale", textForSale, one.ForSale, func(on bool) { one.ForSale = on }),
		p.submit(textSave, true)), remove)
}

func (p *productScreen) takePhoto(app.Context, app.Event) {
	p.act(p.page, textPhotoStored, func(ctx context.Context) (func(), error) {
		data, err := p.c.b.Photo(ctx, "photo", maxPhoto)
		if err != nil {
			return nil, &v1.Error{Code: codeBadPhoto, Message: err.Error()}
		}
		var stored v1.Photo
		err = call(ctx, p.c.b, "POST", "/v1/photos", v1.CreatePhoto{Data: data}, &stored, "")
		return func() { p.product.Image = stored.Path }, err
	})
}

// save stores the product, after the amounts have been read.
func (p *productScreen) save(_ app.Context, e app.Event) {
	e.PreventDefault()
	one := p.product
	var ok bool
	wrong := func(id string, t text) { p.sayWrong(t); p.c.b.Focus(id) }
	if strings.TrimSpace(one.Name) == "" {
		wrong("name", textNameMissing)
		return
	}
	if one.Price, ok = fen.ParseYuan(p.price); !ok || one.Price == 0 {
		wrong("price", textBadAmount)
		return
	}
	one.MinAmount, one.MaxAmount = 0, 0
	if p.open {
		for _, bound := range []struct {
			id, typed string
			to        *fen.Fen
		}{{"least", p.least, &one.MinAmount}, {"most", p.most, &one.MaxAmount}} {
			if *bound.to, ok = fen.ParseYuan(bound.typed); !ok || *bound.to == 0 {
				wrong(bound.id, textBadAmount)
				return
			}
		}
		if one.Price < one.MinAmount || one.Price > one.MaxAmount {
			wrong("price", textPriceOutside)
			return
		}
	}
	p.act(p.page, textSaved, func(ctx context.Context) (func(), error) {
		return func() { p.isNew = false; p.show(one); p.page.Navigate("/console/products") }, p.put(ctx, one)
	})
}

func (p *productScreen) remove(ctx app.Context) {
	p.act(ctx, textRemoved, func(ctx context.Context) (func(), error) {
		return func() { p.page.Navigate("/console/products") },
			call(ctx, p.c.b, "DELETE", "/v1/products/"+url.PathEscape(p.product.ID), nil, nil, "")
	})
}
