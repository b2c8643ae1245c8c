// Command signer is h5pay's back end. It holds the AppSecret and the merchant's keys, signs users
// in, prices and places orders, and signs the page's payment parameters. For the result of a payment
// it trusts only WeChat.
//
// Built for js/wasm it is a Cloudflare Worker (entry: warm/worker.mjs, store: D1). Built natively it
// is the command h5pay: a server on SQLite with the page inside, its demo and its tools. The files
// *_js.go are the Worker's, and *_other.go are the command's.
package main

func main() {
	serve()
}
