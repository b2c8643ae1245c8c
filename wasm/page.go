package main

import (
	"context"
	"errors"
	"strings"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
)

// base is what every screen has: the web view, the language, a stop at its end,
// the place it was opened in, and the error that takes the screen over.
type base struct {
	b            browser
	lang         lang
	title        text        // of the document
	page         app.Context // of the screen, while it is shown
	ctx          context.Context
	stop         context.CancelFunc
	authResponse authResponse
	place        place
	user         *api.User // nil until known
	err          error
	notice       text // a line over the screen, such as "copied"
	confirmation confirmation
}

func newBase(b browser, title text) base { return base{b: b, lang: langOf(b), title: title} }

// OnPreRender names a page that is written to a file.
func (s *base) OnPreRender(ctx app.Context) { ctx.Page().SetTitle(s.tr(s.title)) }

// begin starts a screen in the browser: it takes the landing off the address
// before anything else happens. Whenever the user comes back, it calls back,
// which may be nil.
func (s *base) begin(ctx app.Context, back func(app.Context, returnKind)) {
	s.page = ctx
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.authResponse = takeAuthResponse(s.b)
	s.place = placeOf(s.b.UserAgent())
	s.applyLang(ctx)
	if s.place == inWeChat {
		// A phone's mini program says so on its bridge alone, on some systems.
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

// withPageContext makes a handler one that gets the context of the screen. go-app drops
// what is dispatched with that of an element which has gone meanwhile, and a
// button goes when its screen turns to "one moment".
func (s *base) withPageContext(on app.EventHandler) app.EventHandler {
	return func(_ app.Context, e app.Event) { on(s.page, e) }
}

// OnDismount cancels what a screen has under way.
func (s *base) OnDismount() {
	if s.stop != nil {
		s.stop()
	}
}

// tr returns a sentence in the language of the page.
func (s *base) tr(t text) string { return s.lang.of(t) }

// applyLang tells the document its language and its title.
func (s *base) applyLang(ctx app.Context) {
	s.b.SetDocumentLang(s.lang.tag())
	ctx.Page().SetTitle(s.tr(s.title))
}

// switchLang changes the language, for this visit and all later ones.
func (s *base) switchLang(ctx app.Context, _ app.Event) {
	s.lang = s.lang.other()
	s.b.Set(keyLang, string(s.lang))
	s.applyLang(ctx)
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

// asUser does work that needs a user: with the session there is, or else after
// a sign-in. Most of the time there is one, and nothing has to be asked first.
// Outside WeChat nobody can sign in.
func (s *base) asUser(ctx app.Context, work func() (func(), error)) func() (func(), error) {
	return func() (func(), error) {
		if s.authResponse == (authResponse{}) || !s.place.signsIn() {
			show, err := work()
			if code(err) != api.CodeUnauthenticated {
				return show, err
			}
			if !s.place.signsIn() {
				return nil, &api.Error{Code: codeNoSession, Message: "a browser without a session"}
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

// asBuyer is asUser for work that makes an order: outside WeChat the buyer is a
// guest, known by a cookie alone, from the first order on.
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

// errCookies says that the browser lost the session it had just been given.
func errCookies() error {
	return &api.Error{Code: codeCookies, Message: "the next call has no session"}
}

// copyAddress copies the address of the page, to be opened in WeChat.
func (s *base) copyAddress(ctx app.Context, _ app.Event) { s.copy(ctx, s.b.Href()) }

// copyShop copies the address of the shop: an order of a browser's is nobody's
// in WeChat.
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
