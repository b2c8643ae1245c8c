package main

import "github.com/maxence-charriere/go-app/v9/pkg/app"

// elem returns an element with the tag. go-app's own constructors return one type per tag. The
// linker keeps about a hundred methods for each.
func elem(tag string) app.HTMLElem { return app.Elem(tag) }
