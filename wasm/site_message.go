//go:build !js

package main

import (
	"html/template"
	"strings"

	"h5pay/wasm/ui"
)

// message is a WeUI message as static HTML.
type message struct {
	Icon                string
	Title, Hint, Action text
	Href                string // target of the button; "" reloads the page
}

func (m message) html() (template.HTML, error) { return execute("message.html", m) }

// execute executes a template in site/.
func execute(name string, data any) (template.HTML, error) {
	t, err := template.New(name).Funcs(template.FuncMap{
		"zh":   ui.Chinese.Of,
		"en":   ui.English.Of,
		"join": func(words []string) string { return strings.Join(words, " ") },
	}).ParseFS(siteFiles, "site/"+name)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, data)
	return template.HTML(b.String()), err
}

// failure is the message for one reason why the program cannot start.
type failure struct {
	Why     string // the name in site/check.js
	Message template.HTML
}

// failureMessages returns the messages for a program that cannot start, and for one that has ended.
func failureMessages() (all []failure, ended template.HTML, err error) {
	for _, f := range failures {
		html, err := message{Icon: "weui-icon-warn", Title: f.title, Hint: f.hint, Action: textRetry}.html()
		if err != nil {
			return nil, "", err
		}
		all = append(all, failure{f.why, html})
	}
	ended, err = message{Icon: "weui-icon-warn", Title: textEnded, Hint: textEndedHint, Action: textRetry}.html()
	return all, ended, err
}
