package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/url"
	"strconv"
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
	textStockLater   = text{"保存后，可在商品里设置库存", "Save the product, then open it to set a stock"}
	textUnlimited    = text{"不限", "Not limited"}
	textStockNow     = text{"可售件数", "Pieces to sell"}
	textStockHint    = text{"下单时扣减，未付款的订单关闭后退回；退款不退回，请手工增加", "An order takes its pieces, and gives them back if it is closed without a payment. A refund gives none back: add them"}
	textStockAdd     = text{"增减件数，如 12 或 -2", "Pieces to add or take, like 12 or -2"}
	textStockSet     = text{"设为件数", "Set the pieces to"}
	textAddStock     = text{"增减", "Add"}
	textSetStock     = text{"设置", "Set"}
	textNoStock      = text{"不限库存", "Do not limit"}
	textBadStock     = text{"请输入整数", "Enter a whole number"}
	textOversoldHint = text{"已付款的件数多于库存：订单关闭后又收到了付款。请补货，或退款", "More pieces were paid than there were: a payment arrived after its order was closed. Add pieces, or refund"}
	textPriceOutside = text{"价格应在最少和最多之间", "The price has to be within the bounds"}
)

// maxPhoto is the size of a photo in bytes that the console sends.
const maxPhoto = 200_000

// maxStockTyped is the most pieces that one change may have.
const maxStockTyped = 1_000_000

// productScreen edits a product, or makes one.
type productScreen struct {
	app.Compo
	base

	isNew               bool
	product             v1.Product
	price, least, most  string // as typed, in yuan
	open                bool   // the payer names the amount
	stockAdd, stockSet  string // as typed
	stockKey, stockSent string // of the change that was sent last, and the change; "" once it has succeeded
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
		p.submit(textSave, true)), p.stockForm(), remove)
}

// stockForm changes the stock of a stored product.
func (p *productScreen) stockForm() app.UI {
	if p.isNew {
		return elem("p").Class("hint").Text(p.tr(textStockLater))
	}
	stock, oversold := p.product.Stock, app.UI(nil)
	now := elem("span").DataSet("stock", "unlimited").Text(p.tr(textUnlimited))
	if stock != nil {
		now = elem("span").DataSet("stock", "pieces").Text(strconv.FormatInt(*stock, 10))
		if *stock < 0 {
			oversold = elem("p").Class("oversold").Role("alert").Text(p.tr(textOversoldHint))
		}
	}
	var add, unlimited app.UI
	if stock != nil {
		add = elem("form").Class("pair").OnSubmit(p.submitting(func() {
			p.changeStock("stock-add", p.stockAdd, func(n int64) v1.ChangeStock { return v1.ChangeStock{Add: n} })
		}), "stock-add").Body(
			p.field("stock-add", textStockAdd, "text", p.stockAdd, func(v string) { p.stockAdd = v }, "inputmode", "text", "autocomplete", "off"), p.submit(textAddStock, true))
		unlimited = elem("p").Class("actions").Body(p.mini(textNoStock, func(ctx app.Context) { p.sendStock(v1.ChangeStock{Unlimited: true}) }))
	}
	return section(p.tr(textStock), elem("dl").Class("facts").Body(p.row(textStockNow, now)), oversold,
		elem("p").Class("small").Text(p.tr(textStockHint)), add,
		elem("form").Class("pair").OnSubmit(p.submitting(func() {
			p.changeStock("stock-set", p.stockSet, func(n int64) v1.ChangeStock { return v1.ChangeStock{Set: &n} })
		}), "stock-set").Body(
			p.field("stock-set", textStockSet, "text", p.stockSet, func(v string) { p.stockSet = v }, "inputmode", "numeric", "autocomplete", "off"), p.submit(textSetStock, true)),
		unlimited)
}

// changeStock sends a change of a number that was typed. Only a change of pieces may be negative.
func (p *productScreen) changeStock(id, typed string, change func(int64) v1.ChangeStock) {
	n, err := strconv.ParseInt(strings.TrimSpace(typed), 10, 64)
	c := change(n)
	if err != nil || n > maxStockTyped || n < -maxStockTyped || n == 0 && c.Set == nil || n < 0 && c.Set != nil {
		p.sayWrong(textBadStock)
		p.c.b.Focus(id)
		return
	}
	p.sendStock(c)
}

// sendStock sends a change. The same change is sent under the same key until it has succeeded.
func (p *productScreen) sendStock(c v1.ChangeStock) {
	change, _ := json.Marshal(c) // numbers and a boolean have no error
	if p.stockKey == "" || string(change) != p.stockSent {
		p.stockKey, p.stockSent = rand.Text(), string(change)
	}
	key := p.stockKey
	p.act(p.page, textSaved, func(ctx context.Context) (func(), error) {
		var stored v1.Product
		err := call(ctx, p.c.b, "POST", "/v1/products/"+url.PathEscape(p.product.ID)+"/stock", c, &stored, key)
		return func() { p.product.Stock, p.stockAdd, p.stockSet, p.stockKey = stored.Stock, "", "", "" }, err
	})
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
