package main

import "github.com/maxence-charriere/go-app/v9/pkg/app"

// question is what the user is asked before something that cannot be undone.
type question struct {
	title, hint, yes text
	do               func(app.Context)
}

const questionDialog = "question"

// ask puts a question over the screen.
func (s *base) ask(ctx app.Context, q question) {
	s.question = q
	ctx.Defer(func(app.Context) { s.b.OpenDialog(questionDialog) })
}

// asking is the dialog of the question. A screen that asks has it at its end.
func (s *base) asking() app.UI {
	answer := func(class string, label text, on app.EventHandler) app.UI {
		return elem("button").Class(class).Attr("type", "button").Text(s.say(label)).OnClick(s.lasting(on), s.question.yes.en, class)
	}
	return elem("dialog").ID(questionDialog).Class("question").Aria("labelledby", "question-title").Body(
		elem("h2").ID("question-title").Text(s.say(s.question.title)),
		elem("p").Text(s.say(s.question.hint)),
		elem("div").Class("answers").Body(
			answer("plain", textNotNow, func(app.Context, app.Event) { s.b.CloseDialog(questionDialog) }),
			answer("plain yes", s.question.yes, func(ctx app.Context, _ app.Event) {
				s.b.CloseDialog(questionDialog)
				if s.question.do != nil {
					s.question.do(ctx)
				}
			})))
}
