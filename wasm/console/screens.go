package main

import "github.com/maxence-charriere/go-app/v9/pkg/app"

// register adds a go-app route for each screen.
func (c *console) register() {
	for path, open := range c.screens() {
		app.RouteFunc(path, open)
	}
}

// screens returns a constructor of each screen by its path.
func (c *console) screens() map[string]func() app.Composer {
	return map[string]func() app.Composer{
		"/console":               func() app.Composer { return newTodayScreen(c) },
		"/console/orders":        func() app.Composer { return newOrdersScreen(c) },
		"/console/order":         func() app.Composer { return newOrderScreen(c) },
		"/console/products":      func() app.Composer { return newProductsScreen(c) },
		"/console/product":       func() app.Composer { return newProductScreen(c) },
		"/console/links":         func() app.Composer { return newLinksScreen(c) },
		"/console/links/new":     func() app.Composer { return openNewLinkScreen(c) },
		"/console/link":          func() app.Composer { return openLinkScreen(c) },
		"/console/events":        func() app.Composer { return newEventsScreen(c) },
		"/console/endpoints":     func() app.Composer { return newEndpointsScreen(c) },
		"/console/notifications": func() app.Composer { return newNotificationsScreen(c) },
		"/console/bills":         func() app.Composer { return newBillsScreen(c) },
		"/console/check":         func() app.Composer { return newCheckScreen(c) },
		"/console/keys":          func() app.Composer { return newKeysScreen(c) },
		"/console/audit":         func() app.Composer { return newAuditScreen(c) },
		"/console/more":          func() app.Composer { return newMoreScreen(c) },
	}
}
