// Command console is the operator's console: a page in Go to run a shop, on a phone or a
// desktop. It calls only /v1 and the console's session. Shoppers never load it.
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
