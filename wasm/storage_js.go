package main

import (
	"syscall/js"

	"h5pay/wasm/dom"
)

func (webView) Recall(key string) string   { return dom.Stored("sessionStorage", key) }
func (webView) Remember(key, value string) { dom.Store("sessionStorage", key, value) }
func (webView) Setting(key string) string  { return dom.Stored("localStorage", key) }
func (webView) Set(key, value string)      { dom.Store("localStorage", key, value) }

func (webView) ClearPersonal() {
	clearPersonal("sessionStorage")
	clearPersonal("localStorage")
}

// clearPersonal removes every key of this shop except the language from a storage.
func clearPersonal(storage string) {
	defer dom.Catch(nil) // storage is blocked
	s := dom.Member(js.Global(), storage)
	if !dom.IsStorage(s) {
		return
	}
	var keys []string // collected first, because a removal changes the indexes
	for i := range s.Get("length").Int() {
		keys = append(keys, dom.Text(s.Call("key", i)))
	}
	for _, key := range keys {
		if personal(key) {
			s.Call("removeItem", key)
		}
	}
}
