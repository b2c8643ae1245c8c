package main

import "github.com/maxence-charriere/go-app/v9/pkg/app"

// elem is an element of HTML. go-app has a type for each, of which a program
// that uses it once carries all hundred methods; this one does for all.
func elem(tag string) app.HTMLElem { return app.Elem(tag) }
