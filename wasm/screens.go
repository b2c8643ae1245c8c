package main

import (
	"strings"
	"sync"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
	"h5pay/wasm/dom"
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

// register adds a go-app route for each screen.
func register(b browser) {
	// The first screen is made in one task and drawn in the next. A later one is made in the handler of a
	// click.
	var first sync.Once
	for _, s := range screens {
		app.RouteFunc(s.path, func() app.Composer {
			screen := s.open(b)
			first.Do(dom.Yield)
			return screen
		})
	}
	// The program has no package regexp, so the address itself is the route.
	switch path := b.Path(); {
	case strings.HasPrefix(path, api.PathCustomer):
		app.RouteFunc(path, func() app.Composer { return newCustomerPage(b) })
	case strings.HasPrefix(path, api.PathLink):
		app.RouteFunc(path, func() app.Composer { return newLinkPage(b) })
	}
}
