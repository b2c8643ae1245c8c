// Command wasm is the page: a PWA in Go that runs in WeChat's web view. It signs the shopper in,
// shows the shop, opens the payment sheet and shows the payment result that the signer reports.
//
// Built for js/wasm it is the page's program. Run natively it writes the site around the program,
// including every screen in its loading state.
package main

import (
	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/wasm/dom"
)

func main() {
	dom.ReplaceBrokenAPIs()
	b := newBrowser()
	// The first screen is made in one task and drawn in the next. The task between is before go-app handles
	// clicks, for which it needs the screen.
	dom.Yield()
	register(b, b.Path())
	dom.Yield()
	app.RunWhenOnBrowser()
	generate()
}
