package main

import (
	"context"
	"time"

	"h5pay/wasm/dom"
)

// browser is the part of the web view that the console uses. browser_js.go implements it; tests use
// a fake.
type browser interface {
	Origin() string   // location.origin, for example "https://shop.example.com"
	Query() string    // location.search without "?"
	Language() string // navigator.language, for example "zh-CN"
	Setting(key string) string
	Set(key, value string)

	// SetDocumentLang sets the lang attribute of <html>.
	SetDocumentLang(tag string)

	// Fetch makes one call to the signer with its cookies. A nil body sends no body. It returns an
	// error if no response arrived.
	Fetch(ctx context.Context, method, path string, header map[string]string, body []byte) (dom.Response, error)

	// OnReturn calls f whenever the user returns to this page without a reload, until stop is called.
	OnReturn(f func()) (stop func())
	// Visible reports whether the user can see the page.
	Visible() bool

	// OpenDialog shows the <dialog> with the ID as a modal until the user or CloseDialog closes it.
	OpenDialog(id string)
	CloseDialog(id string)

	// Focus moves the keyboard to the element with the ID, if it is there.
	Focus(id string)

	// Copy puts text onto the clipboard.
	Copy(ctx context.Context, text string) error

	// Photo returns the picture that the user chose in the file input with the ID. It is a JPEG of at
	// most limit bytes, in base64, scaled down and without the camera's metadata.
	Photo(ctx context.Context, input string, limit int) (string, error)

	// Picture draws the picture of the shop at a path, some pixels wide, and returns the address of the
	// drawing, a PNG. Release frees it.
	Picture(ctx context.Context, path string, width int) (address string, err error)
	Release(address string)
	// Print opens the browser's dialog for printing the page.
	Print()

	// Keep appends text to the file with the name, and Save gives the file to the user. The browser
	// holds the text, not the program.
	Keep(name, text string)
	Save(name string)
	// Drop deletes the file.
	Drop(name string)

	Sleep(ctx context.Context, d time.Duration) error
}
