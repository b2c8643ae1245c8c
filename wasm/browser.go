package main

import (
	"context"
	"time"

	"h5pay/internal/api"
	"h5pay/wasm/dom"
)

// browser is the part of the web view that the page uses. browser_js.go implements it; tests use a
// fake.
type browser interface {
	Path() string        // location.pathname
	Query() string       // location.search without "?"
	Href() string        // location.href
	UserAgent() string   //
	Language() string    // navigator.language, for example "zh-CN"
	SignInQuery() string // the query with WeChat's code and state that site/check.js removed from the address; returned once

	// PageData returns the api.Catalogue in JSON that the page arrived with, once; "" if it has none. It
	// may be old if the service worker kept the page, unless the calls of this load have replaced it.
	PageData() (text string, old bool)

	ReplaceAddress(url string) // history.replaceState, within this shop
	Assign(url string)         // loads a page; Back returns to this one
	Replace(url string)        // loads a page; Back skips this one

	// Recall and Remember keep values until the web view closes, Setting and Set without limit.
	// They do nothing if storage is blocked or full.
	Recall(key string) string
	Remember(key, value string) // "" forgets
	Setting(key string) string
	Set(key, value string)
	// ClearPersonal removes every value that Remember and Set keep except the language. The next
	// person on this device must not see them.
	ClearPersonal()

	// SetDocumentLang sets the lang attribute of <html>.
	SetDocumentLang(tag string)

	// Fetch makes one call to the signer with its cookies. A nil body sends no body. It returns an
	// error if no response arrived.
	Fetch(ctx context.Context, method, path string, body []byte) (response, error)

	// OnReturn calls f whenever the user returns to this page without a reload, until stop is
	// called.
	OnReturn(f func(from returnKind)) (stop func())

	// OnKey calls f with the name of every key pressed on the page, until stop is called. It skips
	// keys that a button handles.
	OnKey(f func(key string)) (stop func())

	// OpenDialog shows the <dialog> with the ID as a modal until the user or CloseDialog closes it.
	OpenDialog(id string)
	CloseDialog(id string)

	// Now returns the signer's time: the Date of the last response plus the time since then. It is
	// zero before the first response. The device's own clock may be years off.
	Now() time.Time

	// InMiniProgram waits for WeixinJSBridge and reports whether the web view belongs to a mini
	// program.
	InMiniProgram(ctx context.Context) bool

	// InvokePay waits for WeixinJSBridge and calls getBrandWCPayRequest. It returns an error if the
	// client did not respond.
	InvokePay(ctx context.Context, p api.PayParams) (payReply, error)

	Copy(ctx context.Context, text string) error
	Sleep(ctx context.Context, d time.Duration) error
}

// returnKind is the way in which the user returned to a page.
type returnKind int

// The kinds.
const (
	fromHistory    returnKind = iota // by Back or Forward: the page is as the user left it, but its calls and the payment sheet have ended
	fromBackground                   // the app or tab was hidden, or the network was down; calls and the sheet are still open
)

// payReply is the client's reply to getBrandWCPayRequest.
type payReply struct {
	ErrMsg  string // "get_brand_wcpay_request:ok"
	ErrDesc string // the reason in the user's language; most clients omit it
}

// response is a response that Fetch received.
type response = dom.Response
