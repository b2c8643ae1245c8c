package main

import (
	"context"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/v1"
)

// signInForm asks for an API key.
type signInForm struct {
	key string
	err error
}

func (s *base) signInScreen() app.UI {
	submit := func(ctx app.Context, e app.Event) {
		e.PreventDefault()
		if s.working || s.signIn.key == "" {
			return
		}
		s.working, s.signIn.err = true, nil
		key := s.signIn.key
		ctx.Async(func() {
			var session v1.Session
			err := call(s.ctx, s.c.b, "POST", v1.PathSession, v1.SignIn{Key: key}, &session, "")
			ctx.Dispatch(func(app.Context) {
				s.working = false
				if s.signIn.err = err; err == nil {
					s.signIn, s.c.session, s.err = signInForm{}, &session, nil
					s.again(s.page)
				}
			})
		})
	}
	problem := ""
	if s.signIn.err != nil {
		problem = s.errorLine(errorOf(s.signIn.err))
	}
	return elem("div").Class("console out").Body(
		elem("main").Class("screen signin").Body(
			elem("h1").Text(s.tr(textConsole)),
			elem("p").Class("hint").Text(s.tr(textSignInHint)),
			elem("form").OnSubmit(submit).Body(
				s.field("key", textKey, "password", s.signIn.key, func(v string) { s.signIn.key = v }, "autocomplete", "current-password", "spellcheck", "false"),
				elem("p").Class("said wrong").Role("alert").Text(problem),
				s.submit(textSignIn, s.signIn.key != "")),
			elem("details").Class("how").Body(
				elem("summary").Text(s.tr(textNoKey)),
				elem("p").Text(s.tr(textNoKeyHint)),
				elem("pre").TabIndex(0).Text(makeKeyCommand(s.c.b.Origin()))),
			s.languageButton()))
}

// makeKeyCommand returns the command that makes the first key of an operator of the shop.
func makeKeyCommand(shop string) string {
	return `curl -X POST ` + shop + `/v1/keys \
  -H "Authorization: Bearer $ADMIN_TOKEN" \
  -H "Idempotency-Key: console-1" -H "Content-Type: application/json" \
  -d '{"name":"Li Lei","scopes":["read","write","refund","admin"]}'`
}

// signOut ends the session of this browser, or every session under the key.
func (s *base) signOut(ctx app.Context, everywhere bool) {
	path := v1.PathSession
	if everywhere {
		path += "?everywhere=true"
	}
	s.act(ctx, text{}, func(ctx context.Context) (func(), error) {
		return func() { s.c.session, s.c.asked, s.loaded = nil, true, false }, call(ctx, s.c.b, "DELETE", path, nil, nil, "")
	})
}
