package main

import (
	"context"
	"errors"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
)

// base is what every screen has: the web view, a stop at its end, the place it
// was opened in, and the error that takes the screen over.
type base struct {
	b       browser
	ctx     context.Context
	stop    context.CancelFunc
	landing landing
	place   place
	err     error
	notice  string // a line over the screen, such as "copied"
}

func newBase(b browser) base { return base{b: b} }

// begin starts a screen in the browser: it takes the landing off the address
// before anything else happens.
func (s *base) begin() {
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.landing = captureLanding(s.b)
	s.place = placeOf(s.b.UserAgent())
}

// end cancels what a screen has under way.
func (s *base) end() {
	if s.stop != nil {
		s.stop()
	}
}

// run does work off the screen's goroutine and then shows what it came to.
func (s *base) run(ctx app.Context, work func() (show func(), err error)) {
	ctx.Async(func() {
		show, err := work()
		if errors.Is(err, context.Canceled) || s.ctx.Err() != nil {
			return
		}
		ctx.Dispatch(func(app.Context) {
			if s.err = err; err == nil && show != nil {
				show()
			}
		})
	})
}

// signIn signs the user in with the landing, which is then used up. It returns
// false when the web view has left for WeChat.
func (s *base) signIn() (bool, error) {
	l := s.landing
	s.landing = landing{}
	return signIn(s.ctx, s.b, l)
}

// asUser does work that needs a user: with the session there is, or else after
// a sign-in. Most of the time there is one, and nothing has to be asked first.
func (s *base) asUser(work func() (func(), error)) func() (func(), error) {
	return func() (func(), error) {
		if s.landing == (landing{}) {
			if show, err := work(); code(err) != api.CodeUnauthenticated {
				return show, err
			}
		}
		if done, err := s.signIn(); err != nil || !done {
			return nil, err
		}
		return work()
	}
}

// failure shows the error that took the screen over.
func (s *base) failure(again func(app.Context)) app.UI {
	t := troubleOf(code(s.err))
	var button app.UI
	switch t.Way {
	case wayRetry:
		button = primary(textRetry, func(ctx app.Context, _ app.Event) { s.err = nil; again(ctx) })
	case waySignIn:
		button = primary(textSignIn, func(ctx app.Context, _ app.Event) {
			s.err = nil
			s.run(ctx, func() (func(), error) { return nil, leaveForWeChat(s.ctx, s.b, 1) })
		})
	case wayShop:
		button = primary(textShop, func(app.Context, app.Event) { s.b.Replace("/") })
	}
	request := ""
	var e *api.Error
	if errors.As(s.err, &e) && e.RequestID != "" {
		request = textRequest + " " + e.RequestID
	}
	return message("warn", t.Title, t.Hint, request, button).DataSet("error", string(code(s.err)))
}

// elsewhere is a whole screen for what can be seen in WeChat only. (An attribute
// without a value would be lost when go-app turns another element into it.)
func (s *base) elsewhere() app.UI {
	return message("info", textOutside, s.outsideHint(), s.notice, primary(textCopy, s.copyAddress),
		secondary(textShop, func(app.Context, app.Event) { s.b.Replace("/") })).DataSet("outside", true)
}

// banner is the same above a shop that can be looked at.
func (s *base) banner() app.UI {
	return app.Aside().Class("outside").DataSet("outside", true).Body(
		app.Div().Body(
			app.Strong().Text(textOutside),
			app.P().Text(s.outsideHint())),
		app.Button().Class("weui-btn weui-btn_mini weui-btn_default").Type("button").Text(textCopy).OnClick(s.copyAddress),
		app.If(s.notice != "", app.P().Class("notice").Role("status").Text(s.notice)),
	)
}

func (s *base) outsideHint() string {
	if s.place == inWork {
		return textWorkHint
	}
	return textOutsideHint
}

// copyAddress copies the address of the page, to be opened in WeChat.
func (s *base) copyAddress(ctx app.Context, _ app.Event) {
	ctx.Async(func() {
		notice := textCopied
		if s.b.Copy(s.ctx, s.b.Href()) != nil {
			notice = textNotCopied
		}
		ctx.Dispatch(func(app.Context) { s.notice = notice })
	})
}

// message is WeUI's full-screen message.
func message(icon, title, hint, small string, actions ...app.UI) app.HTMLDiv {
	return app.Div().Class("weui-msg").Body(
		app.Div().Class("weui-msg__icon-area").Body(
			app.I().Class("weui-icon-"+icon+" weui-icon_msg").Aria("hidden", "true")),
		app.Div().Class("weui-msg__text-area").Role("status").Body(
			app.H2().Class("weui-msg__title").Text(title),
			app.P().Class("weui-msg__desc").Text(hint)),
		app.Div().Class("weui-msg__opr-area").Body(
			app.Div().Class("weui-btn-area").Body(actions...)),
		app.If(small != "", app.P().Class("weui-msg__extra-area").Role("status").Text(small)),
	)
}

func primary(text string, on app.EventHandler) app.UI {
	return app.Button().Class("weui-btn weui-btn_primary").Type("button").Text(text).OnClick(on)
}

func secondary(text string, on app.EventHandler) app.UI {
	return app.Button().Class("weui-btn weui-btn_default").Type("button").Text(text).OnClick(on)
}

// price shows an amount.
func price(f api.Fen, class string) app.UI {
	return app.Span().Class("price "+class).Aria("label", f.String()+" 元").Body(
		app.Small().Aria("hidden", "true").Text("¥"), app.Text(f.String()))
}
