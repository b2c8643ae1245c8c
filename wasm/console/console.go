package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
	"h5pay/internal/v1"
	"h5pay/wasm/ui"
)

type text = ui.Text

func elem(tag string) app.HTMLElem { return ui.Elem(tag) }

// console has the data that all screens share: the browser, the language and the session.
type console struct {
	b       browser
	lang    ui.Lang
	session *v1.Session // nil until known
	asked   bool        // whether the session was requested
	opened  bool        // whether a screen was opened before
}

func newConsole(b browser) *console {
	return &console{b: b, lang: ui.LangOf(b.Setting(ui.KeyLang), b.Language())}
}

// refreshEvery is the time after which a screen that the user sees is read again.
const refreshEvery = 10 * time.Second

// base is the part that all screens share.
type base struct {
	c     *console
	path  string // of the screen, for the navigation
	title text
	read  func(ctx app.Context) // reads what the screen shows

	page    app.Context
	ctx     context.Context
	stop    context.CancelFunc
	loaded  bool  // whether the screen's data arrived once
	err     error // shown instead of the screen
	said    string
	wrong   bool // whether said is about a failure
	working bool // an action of the user is under way

	confirmation confirmation
	signIn       signInForm
}

// titleID is the ID of a screen's title.
const titleID = "screen-title"

// begin starts a screen in the browser. With live the screen is read again while the user sees it.
// After another screen its title gets the focus: the link that led here is gone.
func (s *base) begin(ctx app.Context, live bool) {
	s.page = ctx
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.applyLang(ctx)
	if s.c.opened {
		ctx.Defer(func(app.Context) { s.c.b.Focus(titleID) })
	}
	s.c.opened = true
	stop := s.c.b.OnReturn(func() { ctx.Dispatch(func(ctx app.Context) { s.again(ctx) }) })
	context.AfterFunc(s.ctx, stop)
	if live {
		ctx.Async(func() {
			for s.c.b.Sleep(s.ctx, refreshEvery) == nil {
				if s.c.b.Visible() {
					ctx.Dispatch(s.again)
				}
			}
		})
	}
	s.start(ctx)
}

// start reads the session and the data of the screen.
func (s *base) start(ctx app.Context) {
	if s.c.session != nil {
		s.again(ctx)
		return
	}
	s.run(ctx, func() (func(), error) {
		var session v1.Session
		err := call(s.ctx, s.c.b, "GET", v1.PathSession, nil, &session, "")
		return func() { s.c.session = &session; s.again(ctx) }, err
	})
}

// again reads the data of the screen, unless nobody is signed in or an action is under way.
func (s *base) again(ctx app.Context) {
	if s.c.session == nil || s.working {
		return
	}
	if s.read == nil {
		s.loaded = true
		return
	}
	s.read(ctx)
}

// OnDismount cancels the screen's running calls.
func (s *base) OnDismount() {
	if s.stop != nil {
		s.stop()
	}
}

func (s *base) applyLang(ctx app.Context) {
	s.c.b.SetDocumentLang(s.c.lang.Tag())
	ctx.Page().SetTitle(s.tr(s.title))
}

// tr returns the sentence in the console's language.
func (s *base) tr(t text) string { return s.c.lang.Of(t) }

// may reports whether the operator's key has a scope.
func (s *base) may(scope v1.Scope) bool {
	return s.c.session != nil && slices.Contains(s.c.session.Scopes, scope)
}

func (s *base) get(path string, out any) error {
	return call(s.ctx, s.c.b, "GET", path, nil, out, "")
}

// run does work in the background and then calls the function that work returned. A failure is
// shown instead of the screen, or above it if the screen is there.
func (s *base) run(ctx app.Context, work func() (show func(), err error)) {
	ctx.Async(func() {
		show, err := work()
		if errors.Is(err, context.Canceled) || s.ctx.Err() != nil {
			return
		}
		ctx.Dispatch(func(app.Context) {
			switch {
			case code(err) == api.CodeUnauthenticated:
				s.c.session, s.c.asked, s.err = nil, true, nil
			case err != nil:
				s.err = err
			default:
				s.err, s.loaded = nil, s.loaded || s.c.session != nil
				if show != nil {
					show()
				}
			}
		})
	})
}

// act does an action of the user. Until it ends, the screen accepts no other action. Then the
// result is shown above the screen, and the screen is read again. act reports whether the action
// began.
func (s *base) act(ctx app.Context, done text, work func(ctx context.Context) (show func(), err error)) (began bool) {
	if s.working {
		return false
	}
	s.working, s.said = true, ""
	life := s.ctx
	ctx.Async(func() {
		show, err := work(life)
		if life.Err() != nil {
			return
		}
		ctx.Dispatch(func(ctx app.Context) {
			s.working = false
			switch {
			case code(err) == api.CodeUnauthenticated:
				s.c.session, s.c.asked = nil, true
			case err != nil:
				s.sayError(err)
			default:
				s.said, s.wrong = s.tr(done), false
				if show != nil {
					show()
				}
				s.again(ctx)
			}
		})
	})
	return true
}

func (s *base) say(t text)       { s.said, s.wrong = s.tr(t), false }
func (s *base) sayWrong(t text)  { s.said, s.wrong = s.tr(t), true }
func (s *base) sayError(e error) { s.said, s.wrong = s.errorLine(errorOf(e)), true }

// errorLine describes an error in one line.
func (s *base) errorLine(e *v1.Error) string {
	t, ok := errorTexts[e.Code]
	if !ok {
		return e.Message + reference(e)
	}
	line := s.tr(t)
	if e.Code == api.CodeBadRequest || e.Code == api.CodeWeChatDeclined || e.Code == v1.CodeFull {
		line += " (" + e.Message + ")"
	}
	return line + reference(e)
}

func reference(e *v1.Error) string {
	if e.RequestID == "" {
		return ""
	}
	return " [" + e.RequestID + "]"
}

// switchLang changes the language for this visit and later ones.
func (s *base) switchLang(ctx app.Context, _ app.Event) {
	s.c.lang = s.c.lang.Other()
	s.c.b.Set(ui.KeyLang, string(s.c.lang))
	s.said = ""
	s.applyLang(ctx)
}
