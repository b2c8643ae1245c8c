package main

import (
	"strings"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
)

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
	{"/o", func(b browser) app.Composer { return newCustomerPage(b) }},
	{"/l", func(b browser) app.Composer { return newLinkPage(b) }},
}

// register adds a go-app route for each screen. It makes the screen of one address at once, for go-app's
// first request of it; "" is none.
func register(b browser, first string) {
	route := func(path string, open func() app.Composer) {
		if path != first {
			app.RouteFunc(path, open)
			return
		}
		made := open()
		app.RouteFunc(path, func() app.Composer {
			screen := made
			if made = nil; screen == nil {
				return open()
			}
			return screen
		})
	}
	for _, s := range screens {
		route(s.path, func() app.Composer { return s.open(b) })
	}
	// The program has no package regexp, so the address itself is the route.
	switch path := b.Path(); {
	case strings.HasPrefix(path, api.PathCustomer):
		route(path, func() app.Composer { return newCustomerPage(b) })
	case strings.HasPrefix(path, api.PathLink):
		route(path, func() app.Composer { return newLinkPage(b) })
	}
}
