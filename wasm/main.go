// Command wasm is the page: a PWA in Go that runs in WeChat's web view. It
// signs the shopper in, shows the shop, opens the payment sheet and tells what
// the signer says about the payment.
//
// Built for js/wasm it is web/app.wasm. Run natively it writes the static
// files around it, the screens as they look while loading included.
package main

import "github.com/maxence-charriere/go-app/v9/pkg/app"

func main() {
	lendStorage()
	routes()
	app.RunWhenOnBrowser()
	generate()
}

func routes() {
	b := newBrowser()
	app.RouteFunc("/", func() app.Composer { return newShopPage(b) })
	app.RouteFunc("/pay", func() app.Composer { return newPayPage(b) })
	app.RouteFunc("/result", func() app.Composer { return newResultPage(b) })
}
