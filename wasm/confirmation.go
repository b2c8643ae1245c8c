package main

import "github.com/maxence-charriere/go-app/v9/pkg/app"

// confirmation asks the user to confirm an action that cannot be undone.
type confirmation struct {
	title, hint, yes text
	do               func(app.Context)
}

const confirmDialogID = "question"

// confirm opens the confirmation dialog.
func (s *base) confirm(ctx app.Context, q confirmation) {
	s.confirmation = q
	ctx.Defer(func(app.Context) { s.b.OpenDialog(confirmDialogID) })
}

// confirmDialog is the dialog's HTML. A screen that calls confirm renders it last.
func (s *base) confirmDialog() app.UI {
	answer := func(class string, label text, on app.EventHandler) app.UI {
		return elem("button").Class(class).Attr("type", "button").Text(s.tr(label)).OnClick(s.withPageContext(on), s.confirmation.yes.EN, class)
	}
	return elem("dialog").ID(confirmDialogID).Class("question").Aria("labelledby", "question-title").Body(
		elem("h2").ID("question-title").Text(s.tr(s.confirmation.title)),
		elem("p").Text(s.tr(s.confirmation.hint)),
		elem("div").Class("answers").Body(
			answer("plain", textNotNow, func(app.Context, app.Event) { s.b.CloseDialog(confirmDialogID) }),
			answer("plain yes", s.confirmation.yes, func(ctx app.Context, _ app.Event) {
				s.b.CloseDialog(confirmDialogID)
				if s.confirmation.do != nil {
					s.confirmation.do(ctx)
				}
			})))
}
