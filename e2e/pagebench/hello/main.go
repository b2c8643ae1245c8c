// Command hello is go-app's hello world, for the page benchmark. Built for js/wasm it is the
// program; run natively it writes the site, both as in go-app's documentation.
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
	// go-app's default icon is on another host, which would distort the comparison.
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
