// Command console is the operator's program: a page in Go with which a shop is run, from a phone or a
// desktop. It is a client of /v1 and of the console's session, and of nothing else. Shoppers never
// load it.
package main

import (
	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/wasm/dom"
)

func main() {
	dom.ReplaceBrokenAPIs()
	newConsole(newBrowser()).register()
	app.RunWhenOnBrowser()
}
