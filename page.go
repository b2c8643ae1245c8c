// Package h5pay holds the files that the native command contains.
package h5pay

import (
	"embed"
	"io/fs"
)

// public has the files of the page after `make build`, and only public/web/ before it.
//
//go:embed all:public
var public embed.FS

// PageName stands in the page of a release for the shop's name, which is not known then. It has no
// character that HTML or JSON escapes.
const PageName = "h5pay-shop-name"

// ExampleSettings are the settings for a shop on this machine, without the secrets that are drawn.
//
//go:embed .dev.vars.example
var ExampleSettings []byte

// Page returns the files of the page, and whether they are complete: whether `make build` ran before
// this program was built.
func Page() (files fs.FS, complete bool) {
	files, err := fs.Sub(public, "public")
	if err != nil {
		panic(err) // the name is a constant
	}
	_, err = fs.Stat(files, "index.html")
	return files, err == nil
}
