package main

import (
	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/wasm/ui"
)

func elem(tag string) app.HTMLElem { return ui.Elem(tag) }
