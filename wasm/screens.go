package main

import "github.com/maxence-charriere/go-app/v9/pkg/app"

// screen is the content of one address of the page.
type screen struct {
	path string
	open func(b browser) app.Composer
}

// screens lists all screens. Each is prerendered into a file of its own.
var screens = []screen{
	{"/", func(b browser) app.Composer { return newShopPage(b) }},
	{"/amount", func(b browser) app.Composer { return newAmountPage(b) }},
	{"/pay", func(b browser) app.Composer { return newPayPage(b) }},
	{"/result", func(b browser) app.Composer { return newResultPage(b) }},
	{"/orders", func(b browser) app.Composer { return newOrdersPage(b) }},
	{"/order", func(b browser) app.Composer { return newOrderPage(b) }},
}

// register adds a go-app route for each screen.
func register(b browser) {
	for _, s := range screens {
		app.RouteFunc(s.path, func() app.Composer { return s.open(b) })
	}
}
