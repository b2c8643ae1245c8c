package main

import "github.com/maxence-charriere/go-app/v9/pkg/app"

// elem returns an element with the tag. go-app's own constructors return one type per tag, each
// with about a hundred methods that the linker keeps; this is one type for all.
func elem(tag string) app.HTMLElem { return app.Elem(tag) }
