// Command signer is h5pay's back end. It holds the AppSecret and the API key, signs users in,
// prices and places orders, and signs the page's payment parameters. For the result of a payment it
// trusts only WeChat.
//
// Built for js/wasm it is a Cloudflare Worker (entry: warm/worker.mjs, store: D1). Built natively
// it is a plain HTTP server on SQLite. Only platform_js.go and the *_other.go files differ.
package main

func main() {
	serve()
}
