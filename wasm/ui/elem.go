// Package ui is what the programs of the pages share: elements, and sentences in two languages.
package ui

import "github.com/maxence-charriere/go-app/v9/pkg/app"

// Elem returns an element with the tag. go-app's own constructors return one type per tag. The
// linker keeps about a hundred methods for each.
func Elem(tag string) app.HTMLElem { return app.Elem(tag) }
