package main

import (
	"errors"
	"strings"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/wasm/ui"
)

// Parts that several screens show.

// screen is the frame of every screen; class names the screen.
func (s *base) screen(class string, body ...app.UI) app.HTMLElem {
	return elem("main").Class("screen " + class).Body(body...)
}

// bilingual shows a sentence. A prerendered sentence also carries its English text.
func (s *base) bilingual(t text) app.UI {
	if s.lang == ui.Prerendered {
		return elem("span").DataSet("en", t.EN).Text(t.ZH)
	}
	return app.Text(s.tr(t))
}

// failure shows the screen's error.
func (s *base) failure(again func(app.Context)) app.UI {
	t := errorTextOf(code(s.err))
	var actions []app.UI
	switch t.Action {
	case actionRetry:
		actions = append(actions, s.primary(textRetry, func(ctx app.Context, _ app.Event) { s.err = nil; again(ctx) }))
	case actionSignIn:
		actions = append(actions, s.primary(textSignIn, func(ctx app.Context, _ app.Event) {
			s.err = nil
			s.run(ctx, func() (func(), error) { return nil, redirectToWeChat(s.ctx, s.b, 1, "") })
		}))
	case actionShop:
		actions = append(actions, s.shopLink("weui-btn_primary"))
	}
	// A customer who pays by a link need not know the shop's start page.
	customer := strings.HasPrefix(s.b.Path(), api.PathCustomer) || strings.HasPrefix(s.b.Path(), api.PathLink)
	if customer && t.Action == actionShop {
		actions = nil
	}
	if t.Action != actionShop && s.b.Path() != "/" && !customer && t.Action != actionNone {
		actions = append(actions, s.shopLink("weui-btn_default"))
	}
	request := ""
	var e *api.Error
	if errors.As(s.err, &e) && e.RequestID != "" {
		request = s.tr(textRequest) + " " + e.RequestID
	}
	return s.message("weui-icon-warn", t.Title, t.Hint, request, actions...).DataSet("error", string(code(s.err)))
}

// outsideMessage fills the screen of a page that works only in WeChat. The attribute needs a value:
// go-app loses an attribute without one when it turns one element into another.
func (s *base) outsideMessage() app.UI {
	return s.message("weui-icon-info", textOutside, s.outsideHint(), s.tr(s.notice),
		s.primary(textCopy, s.copyAddress), s.shopLink("weui-btn_default")).DataSet("outside", true)
}

// openInWeChat tells a customer to open the address in WeChat, and offers it to copy.
func (s *base) openInWeChat(hint text) app.UI {
	return s.message("weui-icon-info", textOutside, hint, s.tr(s.notice), s.primary(textCopy, s.copyAddress)).DataSet("outside", true)
}

// banner shows the same above a shop that can be viewed.
func (s *base) banner() app.UI {
	return elem("div").Class("outside").Role("note").DataSet("outside", true).Body(
		elem("div").Body(
			elem("strong").Text(s.tr(textOutside)),
			elem("p").Text(s.tr(s.outsideHint()))),
		elem("button").Class("weui-btn weui-btn_mini weui-btn_default").Attr("type", "button").Text(s.tr(textCopy)).OnClick(s.copyAddress),
		app.If(s.notice != text{}, elem("p").Class("notice").Role("status").Text(s.tr(s.notice))),
	)
}

func (s *base) outsideHint() text {
	switch s.place {
	case inWork:
		return textWorkHint
	case inMiniProgram:
		return textMiniHint
	}
	return textOutsideHint
}

// message is WeUI's full-screen message.
func (s *base) message(icon string, title, hint text, small string, actions ...app.UI) app.HTMLElem {
	return elem("div").Class("weui-msg").Body(
		elem("div").Class("weui-msg__icon-area").Body(
			elem("i").Class(icon+" weui-icon_msg").Aria("hidden", "true")),
		elem("div").Class("weui-msg__text-area").Role("status").Body(
			elem("h1").Class("weui-msg__title").Body(s.bilingual(title)),
			elem("p").Class("weui-msg__desc").Body(s.bilingual(hint))),
		elem("div").Class("weui-msg__opr-area").Body(
			elem("div").Class("weui-btn-area").Body(actions...)),
		app.If(small != "", elem("p").Class("weui-msg__extra-area").Role("status").Text(small)),
	)
}

// primary and secondary are WeUI's buttons. go-app treats two closures of the same code as one
// handler unless their scope differs. The label is the scope.
func (s *base) primary(label text, on app.EventHandler) app.UI {
	return elem("button").Class("weui-btn weui-btn_primary").Attr("type", "button").Body(s.bilingual(label)).OnClick(s.withPageContext(on), label.EN)
}

func (s *base) secondary(label text, on app.EventHandler) app.UI {
	return elem("button").Class("weui-btn weui-btn_default").Attr("type", "button").Body(s.bilingual(label)).OnClick(s.withPageContext(on), label.EN)
}

// shopLink leads to the start page.
func (s *base) shopLink(class string) app.UI {
	return elem("a").Class("weui-btn "+class).Attr("href", "/").Body(s.bilingual(textShop))
}

// payLink leads to an order's pay page: see payPath.
func (s *base) payLink(label text, id string) app.UI {
	return elem("a").Class("weui-btn weui-btn_primary").Attr("href", payPath(id)).DataSet("load", "page").Text(s.tr(label))
}

// orderLink leads to an order's details.
func (s *base) orderLink(id string) app.UI {
	return elem("a").Class("weui-btn weui-btn_default").Attr("href", detailPath(id)).Text(s.tr(textDetail))
}

// footer is the last line of a screen, with a button for the other language.
func (s *base) footer() app.UI {
	other := s.lang.Other()
	return elem("footer").Class("foot").Body(
		elem("button").Class("plain").Attr("type", "button").Lang(other.Tag()).DataSet("action", "language").
			Text(other.Of(textLanguage)).OnClick(s.switchLang))
}

// price shows an amount.
func (s *base) price(f fen.Fen, class string) app.UI {
	sign, amount := f.Split()
	return elem("span").Class("price "+class).Aria("label", f.String()+" "+s.tr(textYuan)).Role("img").Body(
		app.If(sign != "", app.Text(sign)), elem("small").Aria("hidden", "true").Text("¥"), app.Text(amount))
}

// bounds shows the smallest and the largest amount that a payer may enter.
func (s *base) bounds(b api.AmountBounds) app.UI {
	return elem("span").Class("price range").Body(s.price(b.Min, ""), elem("span").Class("to").Text(" – "), s.price(b.Max, ""))
}

// avatar shows the user's picture, or a drawn one.
func (s *base) avatar() app.UI {
	if s.user != nil && strings.HasPrefix(s.user.AvatarURL, "https://") {
		return elem("img").Class("face").Attr("src", s.user.AvatarURL).Attr("alt", "").Attr("width", 64).Attr("height", 64).
			Attr("referrerpolicy", "no-referrer")
	}
	return elem("span").Class("face").Aria("hidden", "true")
}

// skeletonSheet is the placeholder of an order.
func (s *base) skeletonSheet() app.UI {
	return elem("div").Role("status").Aria("label", s.tr(textLoading)).Body(
		elem("h1").Class("unseen").Body(s.bilingual(s.title)),
		elem("div").Class("amount skeleton").Body(elem("div").Class("line short"), elem("div").Class("line tall")),
		elem("div").Class("sheet skeleton").Body(elem("div").Class("line"), elem("div").Class("line"), elem("div").Class("line")))
}

// codeSheet shows a QR code, the address of its picture, and how to use it. Without a code it shows
// that the code loads. A phone shows how to pay without another phone, too: hint, and a button that
// copies an address.
func (s *base) codeSheet(code string, hint text, copy app.EventHandler) app.UI {
	how := textScan
	if s.place == onPhone || s.place == inWeChat {
		how = textScanOther
	}
	return elem("div").Class("sheet code").DataSet("code", "shown").Body(
		app.If(code == "",
			elem("div").Class("picture").Role("status").Aria("label", s.tr(textLoading)).Body(elem("i").Class("weui-primary-loading").Aria("hidden", "true"))).
			Else(elem("img").Class("qr").Attr("src", code).Attr("alt", s.tr(textCode))),
		elem("p").Class("how").Text(s.tr(how)),
		elem("p").Class("note").Role("status").Text(s.tr(textAutoResult)),
		app.If(!s.place.signsIn(),
			elem("p").Class("note").Text(s.tr(hint)),
			elem("button").Class("weui-btn weui-btn_mini weui-btn_default").Attr("type", "button").Text(s.tr(textCopy)).OnClick(copy)),
		app.If(s.notice != text{}, elem("p").Class("note").Role("status").Text(s.tr(s.notice))))
}
