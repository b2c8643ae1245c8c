package main

import (
	"strconv"
	"time"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
	"h5pay/internal/cst"
	"h5pay/internal/fen"
	"h5pay/internal/v1"
)

// Parts that several screens show.

// place is an entry of the navigation. Those with main are in the bar of a phone; the others are
// behind "more" there.
type place struct {
	path  string
	name  text
	main  bool
	scope v1.Scope
}

var places = []place{
	{"/console", textToday, true, v1.ScopeRead},
	{"/console/orders", textOrders, true, v1.ScopeRead},
	{"/console/products", textProducts, true, v1.ScopeRead},
	{"/console/events", textEvents, true, v1.ScopeRead},
	{"/console/links", textLinks, false, v1.ScopeRead},
	{"/console/notifications", textNotifications, false, v1.ScopeRead},
	{"/console/bills", textBills, false, v1.ScopeRead},
	{"/console/check", textCheck, false, v1.ScopeRead},
	{"/console/endpoints", textEndpoints, false, v1.ScopeAdmin},
	{"/console/keys", textKeys, false, v1.ScopeAdmin},
	{"/console/audit", textAudit, false, v1.ScopeAdmin},
}

// frame is the frame of every screen. It shows the screen's state in place of body until the
// data has arrived.
func (s *base) frame(body ...app.UI) app.UI {
	switch {
	case s.c.session == nil && s.c.asked:
		return s.signInScreen()
	case s.c.session == nil && s.err != nil:
		body = []app.UI{s.failure()}
	case s.err != nil && !s.loaded:
		body = []app.UI{s.failure()}
	case !s.loaded:
		body = []app.UI{s.skeleton()}
	}
	said := s.said
	if s.err != nil && s.loaded && said == "" {
		said = s.errorLine(errorOf(s.err))
	}
	wrong := s.wrong || s.err != nil
	main := elem("main").Class("screen work").ID("main").Body(append([]app.UI{
		elem("h1").ID(titleID).Attr("tabindex", "-1").Text(s.tr(s.title)),
		elem("p").Class(choose(wrong, "said wrong", "said")).Role("status").Text(said),
	}, body...)...)
	if !s.loaded {
		main = main.Aria("busy", "true")
	}
	return elem("div").Class("console").Body(s.head(), s.navigation(), main, s.confirmDialog())
}

func (s *base) head() app.UI {
	shop, who, simulated := "", "", false
	if s.c.session != nil {
		shop, who, simulated = s.c.session.Shop, s.c.session.Name, s.c.session.Simulated
	}
	return elem("header").Class("head").Body(
		elem("strong").Class("name").Text(shop),
		app.If(simulated, elem("span").Class("tag").Text(s.tr(textSimulated))),
		elem("a").Class("operator").Attr("href", "/console/more").Text(who))
}

func (s *base) navigation() app.UI {
	link := func(p place, class string) app.UI {
		a := elem("a").Class(class).Attr("href", p.path).Text(s.tr(p.name))
		if p.path == s.path {
			a = a.Aria("current", "page")
		}
		return elem("li").Class(class).Body(a)
	}
	var links []app.UI
	for _, p := range places {
		if s.may(p.scope) {
			links = append(links, link(p, choose(p.main, "first", "other")))
		}
	}
	links = append(links, link(place{"/console/more", textMore, true, ""}, "rest"))
	return elem("nav").Class("places").Aria("label", s.tr(textMenu)).Body(elem("ul").Body(links...))
}

func choose[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
}

// failure shows the screen's error.
func (s *base) failure() app.UI {
	e := errorOf(s.err)
	title := errorTexts[e.Code]
	if title == (text{}) {
		title = errorTexts[api.CodeInternal]
	}
	hint := e.Message // in English, for details that the title lacks
	if e.Code == codeOffline || e.Code == codeBadResponse {
		hint = ""
	}
	if e.Code == v1.CodeScopeMissing {
		hint = s.tr(textNoScopeHint)
	}
	return elem("div").Class("state").DataSet("error", string(e.Code)).Role("alert").Body(
		elem("i").Class("weui-icon-warn weui-icon_msg").Aria("hidden", "true"),
		elem("h2").Text(s.tr(title)),
		elem("p").Text(hint),
		elem("p").Class("small").Text(e.RequestID),
		s.button(textRetry, "weui-btn weui-btn_primary", func(ctx app.Context) { s.err = nil; s.start(ctx) }))
}

// nothing is the text for an empty list.
func (s *base) nothing(what, hint text) app.UI {
	return elem("div").Class("state").DataSet("empty", "true").Body(
		elem("i").Class("weui-icon-info weui-icon_msg").Aria("hidden", "true"),
		elem("h2").Text(s.tr(what)), elem("p").Text(s.tr(hint)))
}

func (s *base) skeleton() app.UI {
	return elem("div").Class("skeleton").Role("status").Aria("label", s.tr(textLoading)).Body(
		elem("div").Class("line short"), elem("div").Class("line"), elem("div").Class("line"), elem("div").Class("line"))
}

// button calls on when it is pressed. While an action is under way it does nothing.
func (s *base) button(label text, class string, on func(app.Context), scope ...any) app.UI {
	return elem("button").Class(class).Attr("type", "button").Attr("disabled", s.working).Text(s.tr(label)).
		OnClick(func(_ app.Context, _ app.Event) { on(s.page) }, append(scope, label.EN)...)
}

func (s *base) mini(label text, on func(app.Context), scope ...any) app.UI {
	return s.button(label, "weui-btn weui-btn_mini weui-btn_default", on, scope...)
}

// copyButton puts a text onto the clipboard.
func (s *base) copyButton(label text, value string) app.UI {
	return s.mini(label, func(ctx app.Context) {
		ctx.Async(func() {
			err := s.c.b.Copy(s.ctx, value)
			ctx.Dispatch(func(app.Context) {
				if s.say(textCopied); err != nil {
					s.sayWrong(textNotCopied)
				}
			})
		})
	}, value)
}

// submitting keeps the browser from sending a form, and does something in its place.
func (s *base) submitting(do func()) app.EventHandler {
	return func(_ app.Context, e app.Event) {
		e.PreventDefault()
		do()
	}
}

func (s *base) submit(label text, ready bool) app.UI {
	return elem("button").Class("weui-btn weui-btn_primary").Attr("type", "submit").Attr("disabled", s.working || !ready).Text(s.tr(label))
}

func (s *base) languageButton() app.UI {
	other := s.c.lang.Other()
	return elem("button").Class("plain").Attr("type", "button").Lang(other.Tag()).DataSet("action", "language").
		Text(other.Of(textLanguage)).OnClick(s.switchLang)
}

// field is an input with its label. more are pairs of attributes.
func (s *base) field(id string, label text, kind, value string, set func(string), more ...string) app.UI {
	input := elem("input").ID(id).Attr("type", kind).Attr("value", value)
	for i := 0; i+1 < len(more); i += 2 {
		input = input.Attr(more[i], more[i+1])
	}
	change := func(ctx app.Context, _ app.Event) { set(ctx.JSSrc().Get("value").String()) }
	return elem("p").Class("field").Body(
		elem("label").Attr("for", id).Text(s.tr(label)),
		input.OnInput(change, id).OnChange(change, id))
}

// option is a value of a list of choices.
type option struct {
	value string
	name  text
}

func (s *base) choice(id string, label text, value string, options []option, set func(app.Context, string)) app.UI {
	var all []app.UI
	for _, o := range options {
		item := elem("option").Attr("value", o.value).Text(s.tr(o.name))
		if o.value == value {
			item = item.Attr("selected", true)
		}
		all = append(all, item)
	}
	return elem("p").Class("field").Body(
		elem("label").Attr("for", id).Text(s.tr(label)),
		elem("select").ID(id).Body(all...).OnChange(func(ctx app.Context, _ app.Event) { set(s.page, ctx.JSSrc().Get("value").String()) }, id))
}

// check is a checkbox.
func (s *base) check(id string, label text, on bool, set func(bool)) app.UI {
	return elem("p").Class("field tick").Body(
		elem("input").ID(id).Attr("type", "checkbox").Attr("checked", on).
			OnChange(func(ctx app.Context, _ app.Event) { set(ctx.JSSrc().Get("checked").Bool()) }, id),
		elem("label").Attr("for", id).Text(s.tr(label)))
}

// money shows an amount.
func (s *base) money(f fen.Fen) app.UI {
	sign, amount := f.Split()
	return elem("span").Class("price").Body(app.If(sign != "", app.Text(sign)), elem("small").Aria("hidden", "true").Text("¥"), app.Text(amount))
}

// when shows a time in Beijing, with seconds.
func when(ms int64) app.UI {
	return elem("time").Text(beijingTime(ms))
}

func beijingTime(ms int64) string {
	if ms == 0 {
		return ""
	}
	return cst.In(time.UnixMilli(ms)).Format("2006-01-02 15:04:05")
}

// row is a line of a list of facts.
func (s *base) row(name text, value ...app.UI) app.UI {
	return elem("div").Body(elem("dt").Text(s.tr(name)), elem("dd").Body(value...))
}

func (s *base) rowText(name text, value string) app.UI {
	return app.If(value != "", s.row(name, app.Text(value)))
}

// badge shows a status. kind is good, bad, wait or off.
func (s *base) badge(t text, kind, status string) app.UI {
	return elem("span").Class("tag "+kind).DataSet("status", status).Text(s.tr(t))
}

func count(n int) string { return strconv.Itoa(n) }

// counted is a number with its noun.
func (s *base) counted(n int, one, more text) string {
	return count(n) + " " + s.tr(choose(n == 1, one, more))
}

func section(name string, body ...app.UI) app.UI {
	return elem("section").Class("part").Body(append([]app.UI{elem("h2").Text(name)}, body...)...)
}

// confirmation asks the user to confirm an action.
type confirmation struct {
	title text
	hint  string
	yes   text
	do    func(app.Context)
}

const confirmDialogID = "question"

// confirm opens the confirmation dialog.
func (s *base) confirm(ctx app.Context, q confirmation) {
	s.confirmation = q
	ctx.Defer(func(app.Context) { s.c.b.OpenDialog(confirmDialogID) })
}

func (s *base) confirmDialog() app.UI {
	answer := func(class string, label text, on func(app.Context)) app.UI {
		return elem("button").Class(class).Attr("type", "button").Text(s.tr(label)).
			OnClick(func(app.Context, app.Event) { on(s.page) }, s.confirmation.yes.EN, s.confirmation.hint, class)
	}
	return elem("dialog").ID(confirmDialogID).Class("question").Aria("labelledby", "question-title").Body(
		elem("h2").ID("question-title").Text(s.tr(s.confirmation.title)),
		elem("p").Text(s.confirmation.hint),
		elem("div").Class("answers").Body(
			answer("plain", textNotNow, func(app.Context) { s.c.b.CloseDialog(confirmDialogID) }),
			answer("plain yes", s.confirmation.yes, func(ctx app.Context) {
				s.c.b.CloseDialog(confirmDialogID)
				if s.confirmation.do != nil {
					s.confirmation.do(ctx)
				}
			})))
}
