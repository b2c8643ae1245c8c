package main

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/v1"
)

var (
	textLink          = text{"收款链接", "Payment link"}
	textLinkURL       = text{"网址", "URL"}
	textCopyURL       = text{"复制链接", "Copy the URL"}
	textLinkFacts     = text{"详情", "Details"}
	textLinkEnd       = text{"停止收款", "Takes orders until"}
	textLinkOrders    = text{"订单", "Orders"}
	textLinkTaken     = text{"已收", "Taken"}
	textLinkCreated   = text{"创建时间", "Made at"}
	textStopLink      = text{"停用", "Withdraw"}
	textStopLinkTitle = text{"停用这个收款链接？", "Withdraw this link?"}
	textStopLinkHint  = text{"打开它的人不能再下单，已付款的订单不受影响。可以重新启用", "Nobody can order by it any more. Paid orders do not change. You can open it again"}
	textLinkWithdrawn = text{"已停用", "The link is withdrawn"}
	textReopen        = text{"重新启用", "Open again"}
	textReopened      = text{"已重新启用", "The link is open again"}
	textChange        = text{"修改", "Change"}
	textNoLinkOrders  = text{"还没有人下单", "Nobody has ordered yet"}
	textPoster        = text{"海报", "Poster"}
	textPosterHint    = text{"A5 大小，付款人用微信扫码", "A5. Payers scan it with WeChat"}
	textPrint         = text{"打印", "Print"}
	textSavePNG       = text{"保存 PNG", "Save as PNG"}
	textSaveSVG       = text{"保存 SVG", "Save as SVG"}
	textDrawing       = text{"正在生成海报", "Drawing the poster"}
)

// posterPixels is the width of a poster as a picture: A5 at 300 dots per inch.
const posterPixels = 1748

// linkScreen shows one payment link with its orders and its poster.
type linkScreen struct {
	app.Compo
	base

	id     string
	link   v1.Link
	orders []v1.Order
	next   string // cursor of the next part of the orders
	grown  bool   // more than the first part is shown: it is not read again by itself
	form   linkForm

	poster string // address of the picture, "" before it is drawn
	drawn  string // what the picture shows, "" before it is drawn
	plain  bool   // the browser cannot draw: the poster is shown as it is
}

func openLinkScreen(c *console) *linkScreen {
	return &linkScreen{base: base{c: c, path: "/console/links", title: textLink}}
}

func (p *linkScreen) OnMount(ctx app.Context) {
	p.id = param(p.c.b.Query(), "id")
	p.read = p.load
	p.begin(ctx, true)
}

// OnDismount also frees the picture.
func (p *linkScreen) OnDismount() {
	p.base.OnDismount()
	if p.poster != "" {
		p.c.b.Release(p.poster)
	}
}

func (p *linkScreen) linkPath() string { return "/v1/links/" + url.PathEscape(p.id) }

func (p *linkScreen) posterPath() string { return p.linkPath() + "/poster.svg" }

func (p *linkScreen) load(ctx app.Context) {
	grown := p.grown
	p.run(ctx, func() (func(), error) {
		var l v1.Link
		var list v1.Orders
		if err := p.get(p.linkPath(), &l); err != nil {
			return nil, err
		}
		if !grown {
			if err := p.get(address("/v1/orders", "link", p.id, "limit", "20"), &list); err != nil {
				return nil, err
			}
		}
		return func() {
			if p.link.ID == "" { // later, what is typed stays
				p.form = formOf(l)
			}
			if p.link = l; !grown {
				p.orders, p.next = list.Orders, list.Next
			}
			p.draw(p.page)
		}, nil
	})
}

func (p *linkScreen) loadMore(ctx app.Context) {
	p.grown = true
	p.act(ctx, text{}, func(ctx context.Context) (func(), error) {
		var list v1.Orders
		err := call(ctx, p.c.b, "GET", address("/v1/orders", "link", p.id, "limit", "50", "cursor", p.next), nil, &list, "")
		return func() { p.orders, p.next = append(p.orders, list.Orders...), list.Next }, err
	})
}

// draw lets the browser draw the poster as a picture, again after it has changed.
func (p *linkScreen) draw(ctx app.Context) {
	shows := p.link.Title + "\n" + p.link.Description
	if p.drawn == shows {
		return
	}
	p.drawn = shows
	life, path := p.ctx, p.posterPath()
	ctx.Async(func() {
		picture, err := p.c.b.Picture(life, path, posterPixels)
		ctx.Dispatch(func(app.Context) {
			if err == nil && (life.Err() != nil || p.drawn != shows) {
				p.c.b.Release(picture)
				return
			}
			if p.poster != "" {
				p.c.b.Release(p.poster)
			}
			p.poster, p.plain = picture, err != nil
		})
	})
}

func (p *linkScreen) Render() app.UI {
	if !p.loaded {
		return p.frame()
	}
	back := elem("p").Class("up").Body(elem("a").Attr("href", "/console/links").Text("‹ " + p.tr(textBack)))
	l := p.link
	state := linkStates[l.State]
	return p.frame(back,
		elem("h2").Class("headline").Text(l.Title),
		elem("div").Class("amount-line").Body(p.linkAmount(l), p.badge(state.name, state.kind, string(l.State)),
			elem("span").Class("small").Text(p.taken(l))),
		p.actions(),
		section(p.tr(textLinkFacts), elem("dl").Class("facts").Body(
			p.row(textLinkURL, elem("span").Class("address").Text(l.URL)),
			p.rowText(textDescription, l.Description),
			p.row(textLinkTaken, p.money(l.PaidAmount), elem("span").Class("small").Text(p.taken(l))),
			p.rowText(textLinkEnd, beijingTime(l.ExpiresAt)), p.rowText(textLinkStopped, beijingTime(l.WithdrawnAt)), p.rowText(textLinkCreated, beijingTime(l.CreatedAt)),
			p.rowText(textReturnURL, l.ReturnURL), p.rowText(textMetadata, metadataLine(l.Metadata)))),
		p.posterSection(),
		section(p.tr(textLinkOrders), p.orderList()),
		app.If(p.may(v1.ScopeWrite), section(p.tr(textChange),
			elem("form").Class("form").ID("link").OnSubmit(p.submitting(p.change)).Body(append(p.linkFields(&p.form, true), p.submit(textSave, true))...))))
}

func (p *linkScreen) actions() app.UI {
	copied := p.copyButton(textCopyURL, p.link.URL)
	if !p.may(v1.ScopeWrite) {
		return elem("p").Class("actions").Body(copied)
	}
	withdrawn := p.link.WithdrawnAt > 0
	button := p.mini(textStopLink, func(ctx app.Context) {
		p.confirm(ctx, confirmation{textStopLinkTitle, p.tr(textStopLinkHint), textStopLink, func(ctx app.Context) { p.withdraw(ctx, true, textLinkWithdrawn) }})
	})
	if withdrawn {
		button = p.mini(textReopen, func(ctx app.Context) { p.withdraw(ctx, false, textReopened) })
	}
	return elem("p").Class("actions").Body(copied, button)
}

func (p *linkScreen) orderList() app.UI {
	if len(p.orders) == 0 {
		return elem("p").Class("none").Text(p.tr(textNoLinkOrders))
	}
	return elem("div").Body(
		elem("ul").Class("list orders").Body(app.Range(p.orders).Slice(func(i int) app.UI { return p.orderEntry(p.orders[i]) })),
		app.If(p.next != "", elem("p").Class("further").Body(p.mini(textMoreRows, p.loadMore))))
}

// posterSection shows the poster and gives it to the user. The picture is an ordinary one, which can
// also be kept by a long press, where a web view has no downloads.
func (p *linkScreen) posterSection() app.UI {
	var picture, png app.UI
	src := p.poster
	if p.plain {
		src = p.posterPath()
	}
	if src == "" {
		picture = elem("p").Class("none").Role("status").Text(p.tr(textDrawing))
	} else {
		picture = elem("img").Class("poster").ID("poster").Attr("src", src).Attr("alt", p.tr(textPoster)+": "+p.link.Title)
	}
	if p.poster != "" {
		png = elem("a").Class("weui-btn weui-btn_mini weui-btn_default").Attr("href", p.poster).Attr("download", fileName(p.link.Title)+".png").Text(p.tr(textSavePNG))
	}
	return elem("section").Class("part poster-part").Body(
		elem("h2").Text(p.tr(textPoster)), elem("p").Class("hint").Text(p.tr(textPosterHint)),
		elem("p").Class("actions").Body(
			p.mini(textPrint, func(app.Context) { p.c.b.Print() }), png,
			elem("a").Class("weui-btn weui-btn_mini weui-btn_default").Attr("href", p.posterPath()).Attr("download", fileName(p.link.Title)+".svg").Text(p.tr(textSaveSVG))),
		picture)
}

// fileName returns a title without what a file's name cannot have.
func fileName(title string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) {
			return '-'
		}
		return r
	}, title)
}

// change stores what of the link may change.
func (p *linkScreen) change() {
	form, input, wrong := p.form.read(true, time.Now())
	if input != "" {
		p.sayWrong(wrong)
		p.c.b.Focus(input)
		return
	}
	p.patch(p.page, textSaved, v1.ChangeLink{Title: &form.Title, Description: &form.Description, MaxOrders: &form.MaxOrders, ExpiresAt: &form.ExpiresAt})
}

func (p *linkScreen) withdraw(ctx app.Context, withdrawn bool, done text) {
	p.patch(ctx, done, v1.ChangeLink{Withdrawn: &withdrawn})
}

func (p *linkScreen) patch(ctx app.Context, done text, change v1.ChangeLink) {
	p.act(ctx, done, func(ctx context.Context) (func(), error) {
		var l v1.Link
		err := call(ctx, p.c.b, "PATCH", p.linkPath(), change, &l, "")
		return func() { p.link = l }, err
	})
}
