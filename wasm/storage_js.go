package main

import "syscall/js"

func (webView) Recall(key string) string   { return stored("sessionStorage", key) }
func (webView) Remember(key, value string) { store("sessionStorage", key, value) }
func (webView) Setting(key string) string  { return stored("localStorage", key) }
func (webView) Set(key, value string)      { store("localStorage", key, value) }

func (webView) ForgetPerson() {
	forget("sessionStorage")
	forget("localStorage")
}

// forget removes every key of this shop from a storage but the language.
func forget(storage string) {
	defer catch(nil) // storage is blocked
	s := member(storage)
	if !keeps(s) {
		return
	}
	var keys []string // all before any is removed: a removal moves the others
	for i := range s.Get("length").Int() {
		keys = append(keys, str(s.Call("key", i)))
	}
	for _, key := range keys {
		if personal(key) {
			s.Call("removeItem", key)
		}
	}
}

func stored(storage, key string) (value string) {
	defer catch(nil) // storage is blocked
	if s := member(storage); keeps(s) {
		return str(s.Call("getItem", key))
	}
	return ""
}

func store(storage, key, value string) {
	defer catch(nil) // storage is blocked or full
	switch s := member(storage); {
	case !keeps(s):
	case value == "":
		s.Call("removeItem", key)
	default:
		s.Call("setItem", key, value)
	}
}

// keeps tells a storage from what lendStorage puts in its place.
func keeps(storage js.Value) bool { return storage.Get("getItem").Type() == js.TypeFunction }

// lendStorage puts an empty object where localStorage is blocked or switched
// off. go-app lists it before it shows anything, and would end there.
func lendStorage() {
	defer catch(nil)
	if usable("localStorage") {
		return
	}
	js.Global().Get("Object").Call("defineProperty", js.Global(), "localStorage",
		map[string]any{"value": map[string]any{}, "configurable": true})
}

func usable(name string) (ok bool) {
	defer catch(nil)
	return member(name).Truthy()
}
