package main

import (
	"context"
	"errors"
	"strings"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
	"h5pay/wasm/dom"
	"h5pay/wasm/ui"
)

// base is the part that all screens share: the browser, the language, the place, and the error
// shown instead of the screen.
type base struct {
	b            browser
	lang         ui.Lang
	title        text        // of the document
	page         app.Context // of the screen, while it is mounted
	ctx          context.Context
	stop         context.CancelFunc
	authResponse authResponse
	place        place
	user         *api.User // nil until known
	err          error
	notice       text // a line above the screen, such as "copied"
	confirmation confirmation
}

func newBase(b browser, title text) base {
	return base{b: b, lang: langOf(b), title: title, place: placeOf(b.UserAgent())}
}

// OnPreRender sets the title of a prerendered page.
func (s *base) OnPreRender(ctx app.Context) { ctx.Page().SetTitle(s.tr(s.title)) }

// begin starts a screen in the browser, in another task than that of its drawing. It first removes the
// sign-in response from the address. It calls back, which may be nil, whenever the user returns.
func (s *base) begin(ctx app.Context, back func(app.Context, returnKind)) {
	dom.Yield()
	s.page = ctx
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.authResponse = takeAuthResponse(s.b)
	s.applyLang(ctx)
	if s.place == inWeChat {
		// On some phones only the bridge shows that this is a mini program.
		ctx.Async(func() {
			if s.b.InMiniProgram(s.ctx) {
				ctx.Dispatch(func(app.Context) { s.place = inMiniProgram })
			}
		})
	}
	if back != nil {
		stop := s.b.OnReturn(func(from returnKind) {
			ctx.Dispatch(func(ctx app.Context) { back(ctx, from) })
		})
		context.AfterFunc(s.ctx, stop)
	}
}

// withPageContext makes a handler that gets the screen's context. go-app drops events dispatched by
// an element that was removed meanwhile. A button is removed when its screen shows "one moment".
func (s *base) withPageContext(on app.EventHandler) app.EventHandler {
	return func(_ app.Context, e app.Event) { on(s.page, e) }
}

// OnDismount cancels the screen's running calls.
func (s *base) OnDismount() {
	if s.stop != nil {
		s.stop()
	}
}

// tr returns the sentence in the page's language.
func (s *base) tr(t text) string { return s.lang.Of(t) }

// applyLang sets the document's language and title.
func (s *base) applyLang(ctx app.Context) {
	s.b.SetDocumentLang(s.lang.Tag())
	ctx.Page().SetTitle(s.tr(s.title))
}

// switchLang changes the language for this visit and later ones.
func (s *base) switchLang(ctx app.Context, _ app.Event) {
	s.lang = s.lang.Other()
	s.b.Set(ui.KeyLang, string(s.lang))
	s.applyLang(ctx)
}

// run does work in the background and then calls the function that work returned.
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

// signIn signs the user in with the sign-in response, which it uses up. It returns false if the web
// view is leaving for WeChat.
func (s *base) signIn(ctx app.Context) (bool, error) {
	l := s.authResponse
	s.authResponse = authResponse{}
	user, err := signIn(s.ctx, s.b, l)
	if user == nil || err != nil {
		return false, err
	}
	ctx.Dispatch(func(app.Context) { s.user = user })
	return true, nil
}

// asUser wraps work that needs a session. It tries the existing session first and signs in only if
// there is none, because most users have one. Outside WeChat nobody can sign in.
func (s *base) asUser(ctx app.Context, work func() (func(), error)) func() (func(), error) {
	return func() (func(), error) {
		if s.authResponse == (authResponse{}) || !s.place.signsIn() {
			show, err := work()
			if code(err) != api.CodeUnauthenticated {
				return show, err
			}
			if !s.place.signsIn() {
				return nil, &api.Error{Code: codeNoSession, Message: "the browser has no session"}
			}
		}
		if done, err := s.signIn(ctx); err != nil || !done {
			return nil, err
		}
		show, err := work()
		if code(err) == api.CodeUnauthenticated {
			err = errCookies()
		}
		return show, err
	}
}

// asBuyer is asUser for work that creates an order. Outside WeChat it creates a guest session,
// which is a cookie, for the first order.
func (s *base) asBuyer(ctx app.Context, work func() (func(), error)) func() (func(), error) {
	as := s.asUser(ctx, work)
	if s.place.signsIn() {
		return as
	}
	return func() (func(), error) {
		show, err := as()
		if code(err) != codeNoSession {
			return show, err
		}
		if err := call(s.ctx, s.b, "POST", api.PathSession, struct{}{}, &api.Session{}); err != nil {
			return nil, err
		}
		if show, err = as(); code(err) == codeNoSession {
			err = errCookies()
		}
		return show, err
	}
}

// errCookies is the error for a browser that lost the session it had just received.
func errCookies() error {
	return &api.Error{Code: codeCookies, Message: "the browser lost the session cookie"}
}

// catalogue fetches the shop's configuration and its products. Where it is possible it signs in
// first, which saves the user a tap at checkout. ok is false if the page is being left for the
// sign-in.
func (s *base) catalogue(ctx app.Context) (config api.Config, products []api.Product, ok bool, err error) {
	if s.place.signsIn() {
		if done, err := s.signIn(ctx); err != nil || !done {
			return config, nil, false, err
		}
	}
	config, products, err = getCatalogue(s.ctx, s.b)
	return config, products, true, err
}

// copyAddress copies the page's address, so that the user can open it in WeChat.
func (s *base) copyAddress(ctx app.Context, _ app.Event) { s.copy(ctx, s.b.Href()) }

// copyShop copies the shop's address. In WeChat a guest's order cannot be opened.
func (s *base) copyShop(ctx app.Context, _ app.Event) {
	s.copy(ctx, strings.TrimSuffix(s.b.Href(), s.b.Path()+"?"+s.b.Query())+"/")
}

func (s *base) copy(ctx app.Context, address string) {
	ctx.Async(func() {
		notice := textCopied
		if s.b.Copy(s.ctx, address) != nil {
			notice = textNotCopied
		}
		ctx.Dispatch(func(app.Context) { s.notice = notice })
	})
}
