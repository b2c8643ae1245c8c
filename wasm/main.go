// Command wasm is the page: a PWA in Go that runs in WeChat's web view. It
// signs the shopper in, shows the shop, opens the payment sheet and tells what
// the signer says about the payment.
//
// Built for js/wasm it is the program of the page. Run natively it writes the
// site around it, the screens as they look while loading included.
package main

import "github.com/maxence-charriere/go-app/v9/pkg/app"

func main() {
	replaceBrokenAPIs()
	register(newBrowser())
	app.RunWhenOnBrowser()
	generate()
}

// screen is what stands at an address of the page.
type screen struct {
	path string
	open func(b browser) app.Composer
}

// screens are all of them. Each is prerendered as a file of its own.
var screens = []screen{
	{"/", func(b browser) app.Composer { return newShopPage(b) }},
	{"/amount", func(b browser) app.Composer { return newAmountPage(b) }},
	{"/pay", func(b browser) app.Composer { return newPayPage(b) }},
	{"/result", func(b browser) app.Composer { return newResultPage(b) }},
	{"/orders", func(b browser) app.Composer { return newOrdersPage(b) }},
	{"/order", func(b browser) app.Composer { return newOrderPage(b) }},
}

// register tells go-app of the screens.
func register(b browser) {
	for _, s := range screens {
		app.RouteFunc(s.path, func() app.Composer { return s.open(b) })
	}
}
