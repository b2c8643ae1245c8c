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

// signedIn signs the user in first; work does not run when the web view has
// left for WeChat.
func (s *base) signedIn(work func() (func(), error)) func() (func(), error) {
	return func() (func(), error) {
		done, err := signIn(s.ctx, s.b, s.landing)
		s.landing = landing{}
		if err != nil || !done {
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
			s.run(ctx, func() (func(), error) { return nil, leaveForWeChat(s.ctx, s.b) })
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

// elsewhere is the banner of a shop that was not opened in WeChat.
func (s *base) elsewhere() app.UI {
	hint := textOutsideHint
	if s.place == inWork {
		hint = textWorkHint
	}
	return app.Aside().Class("outside").DataSet("outside", "").Body(
		app.Div().Body(
			app.Strong().Text(textOutside),
			app.P().Text(hint),
		),
		app.Button().Class("weui-btn weui-btn_mini weui-btn_default").Type("button").Text(textCopy).
			OnClick(func(ctx app.Context, _ app.Event) {
				s.run(ctx, func() (func(), error) {
					if err := s.b.Copy(s.ctx, s.b.Href()); err != nil {
						return nil, nil // the address can still be copied by hand
					}
					return func() { s.notice = textCopied }, nil
				})
			}),
		app.If(s.notice != "", app.P().Class("notice").Role("status").Text(s.notice)),
	)
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
		app.P().Class("small").Text(small),
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
