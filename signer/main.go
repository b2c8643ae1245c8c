// Command signer is h5pay's back end: it holds the AppSecret and the API key,
// signs users in, prices and places orders, signs what the page hands to
// WeChat, and believes nobody but WeChat about a payment.
//
// Built for js/wasm it is a Cloudflare Worker (entry: worker.mjs, store: D1).
// Built natively it is the same signer as a plain HTTP server on SQLite. The
// two differ in platform_js.go and platform_other.go alone.
package main

func main() {
	serve()
}
