package main

import "syscall/js"

func (webView) Recall(key string) string   { return stored("sessionStorage", key) }
func (webView) Remember(key, value string) { store("sessionStorage", key, value) }
func (webView) Setting(key string) string  { return stored("localStorage", key) }
func (webView) Set(key, value string)      { store("localStorage", key, value) }

func (webView) ClearPersonal() {
	clearPersonal("sessionStorage")
	clearPersonal("localStorage")
}

// clearPersonal removes every key of this shop from a storage but the language.
func clearPersonal(storage string) {
	defer catch(nil) // storage is blocked
	s := member(js.Global(), storage)
	if !isStorage(s) {
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
	if s := member(js.Global(), storage); isStorage(s) {
		return str(s.Call("getItem", key))
	}
	return ""
}

func store(storage, key, value string) {
	defer catch(nil) // storage is blocked or full
	switch s := member(js.Global(), storage); {
	case !isStorage(s):
	case value == "":
		s.Call("removeItem", key)
	default:
		s.Call("setItem", key, value)
	}
}

// isStorage tells a storage from what lendStorage puts in its place.
func isStorage(storage js.Value) bool {
	return storage.Type() == js.TypeObject && member(storage, "getItem").Type() == js.TypeFunction
}

// replaceBrokenAPIs keeps go-app away from what does not work in this browser. go-app lists
// localStorage before it shows anything, and opens a BroadcastChannel: it would end
// there. It gets an empty object, and no channel.
func replaceBrokenAPIs() {
	defer catch(nil)
	if !works(func() {
		local := member(js.Global(), "localStorage")
		for _, key := range append(keysOf(local), "h5pay") {
			local.Call("getItem", key)
		}
	}) {
		replaceGlobal("localStorage", map[string]any{})
	}
	if !works(func() {
		if channel := member(js.Global(), "BroadcastChannel"); channel.Truthy() {
			channel.New("h5pay").Call("close")
		}
	}) {
		replaceGlobal("BroadcastChannel", nil)
	}
}

// keysOf returns the names under which an object keeps something.
func keysOf(object js.Value) (names []string) {
	keys := js.Global().Get("Object").Call("keys", object)
	for i := range keys.Length() {
		names = append(names, keys.Index(i).String())
	}
	return names
}

// works reports whether f ends without an error of JavaScript's.
func works(f func()) (ok bool) {
	var err error
	defer func() { ok = err == nil }()
	defer catch(&err)
	f()
	return
}

func replaceGlobal(name string, value any) {
	js.Global().Get("Object").Call("defineProperty", js.Global(), name, map[string]any{"value": value, "configurable": true})
}
