package main

import (
	"context"
	"time"

	"h5pay/internal/api"
)

// browser is what the page needs of the web view it runs in. The real one is
// in browser_js.go; tests have their own.
type browser interface {
	Path() string              // location.pathname
	Query() string             // location.search without "?"
	Href() string              // the whole address
	UserAgent() string         //
	Language() string          // the one the user prefers, "zh-CN"
	SignInQuery() string       // the query with WeChat's code and state that site/check.js took off the address, once
	ReplaceAddress(url string) // history.replaceState: shows another address of this shop
	Assign(url string)         // a real navigation that Back undoes
	Replace(url string)        // a real navigation that Back skips

	// Recall and Remember keep values for this web view until it is closed,
	// Setting and Set for ever. They do nothing when storage is blocked or full.
	Recall(key string) string
	Remember(key, value string) // "" forgets
	Setting(key string) string
	Set(key, value string)
	// ClearPersonal removes all that Remember and Set keep but the language: the next
	// person at this device must not see it.
	ClearPersonal()

	// SetDocumentLang says in which language the document is, as <html lang> has it.
	SetDocumentLang(tag string)

	// Fetch makes one call to the signer with its cookies. A body of nil sends
	// none. The error says that no answer came.
	Fetch(ctx context.Context, method, path string, body []byte) (answer, error)

	// OnReturn calls f whenever the user comes back to this page without loading
	// it again, until stop is called.
	OnReturn(f func(from returnKind)) (stop func())

	// OnKey calls f with the name of every key that is pressed anywhere on the
	// page, but for those that a button takes, until stop is called.
	OnKey(f func(key string)) (stop func())

	// OpenDialog shows the <dialog> of an ID above everything else, until the
	// user or CloseDialog ends it.
	OpenDialog(id string)
	CloseDialog(id string)

	// Now is the signer's clock: what it said in its last answer, carried on by
	// the device's stopwatch. It is zero as long as no answer has said. The
	// device's own clock may be years off.
	Now() time.Time

	// InMiniProgram waits for WeixinJSBridge and reports whether the web view
	// is one of a mini program's.
	InMiniProgram(ctx context.Context) bool

	// InvokePay waits for WeixinJSBridge and calls getBrandWCPayRequest. The
	// error says that the client was not there to answer.
	InvokePay(ctx context.Context, p api.PayParams) (payReply, error)

	Copy(ctx context.Context, text string) error
	Sleep(ctx context.Context, d time.Duration) error
}

// returnKind is how a page was come back to.
type returnKind int

// The ways.
const (
	fromHistory    returnKind = iota // by Back or Forward: as it was left, its calls and the payment sheet gone
	fromBackground                   // the app or tab was hidden, or the network away; nothing has ended
)

// payReply is what the client called back with, in its own words.
type payReply struct {
	ErrMsg  string // "get_brand_wcpay_request:ok"
	ErrDesc string // why not, in the user's language; most clients leave it out
}

// answer is what Fetch got.
type answer struct {
	Status int
	Body   []byte
	Date   string // the header of that name
}
