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
	ReplaceAddress(url string) // history.replaceState: shows another address of this shop
	Assign(url string)         // a real navigation that Back undoes
	Replace(url string)        // a real navigation that Back skips

	// Recall and Remember keep values for this web view until it is closed.
	// They do nothing when storage is blocked or full.
	Recall(key string) string
	Remember(key, value string) // "" forgets

	// Fetch makes one call to the signer with its cookies. A body of nil sends
	// none. The error says that no answer came.
	Fetch(ctx context.Context, method, path string, body []byte) (answer, error)

	// OnReturn calls f whenever Back or Forward brings this page back as it was
	// left, without loading it again.
	OnReturn(f func())

	// InvokePay waits for WeixinJSBridge and calls getBrandWCPayRequest. The
	// error says that the client was not there to answer.
	InvokePay(ctx context.Context, p api.PayParams) (payReply, error)

	Copy(ctx context.Context, text string) error
	Sleep(ctx context.Context, d time.Duration) error
}

// payReply is what the client called back with, in its own words.
type payReply struct {
	ErrMsg  string // "get_brand_wcpay_request:ok"
	ErrDesc string // why not, in the user's language; most clients leave it out
}

// answer is what Fetch got.
type answer struct {
	Status int
	Body   []byte
}
