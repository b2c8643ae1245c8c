// Command hello is go-app's hello world, for the benchmark of the page: built for
// js/wasm it is the program, run natively it writes the site, both in the ways of
// go-app's own documentation.
package main

import (
	"log"
	"os"

	"github.com/maxence-charriere/go-app/v9/pkg/app"
)

type hello struct{ app.Compo }

func (h *hello) Render() app.UI { return app.H1().Text("你好，世界！Hello World!") }

func main() {
	app.Route("/", &hello{})
	app.RunWhenOnBrowser()
	// Its own icon is on another host, which would not be fair.
	err := app.GenerateStaticWebsite(os.Args[1], &app.Handler{
		Name:        "Hello",
		Description: "An Hello World! example",
		Icon:        app.Icon{Default: "/web/icon.png", Large: "/web/icon-512.png"},
		Version:     "1",
	})
	if err != nil {
		log.Fatal(err)
	}
}
