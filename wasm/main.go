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
	dom.Yield()
	register(b)
	app.RunWhenOnBrowser()
	generate()
}
