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

// clearPersonal removes every key of this shop except the language from a storage.
func clearPersonal(storage string) {
	defer catch(nil) // storage is blocked
	s := member(js.Global(), storage)
	if !isStorage(s) {
		return
	}
	var keys []string // collected first, because a removal changes the indexes
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

// isStorage reports whether the object is a real storage and not the one that replaceBrokenAPIs
// sets.
func isStorage(storage js.Value) bool {
	return storage.Type() == js.TypeObject && member(storage, "getItem").Type() == js.TypeFunction
}

// replaceBrokenAPIs replaces APIs that throw in this browser. go-app lists localStorage and opens a
// BroadcastChannel before it shows anything, and would end there. It gets an empty object and no
// channel instead.
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

// keysOf returns the names of an object's own properties.
func keysOf(object js.Value) (names []string) {
	keys := js.Global().Get("Object").Call("keys", object)
	for i := range keys.Length() {
		names = append(names, keys.Index(i).String())
	}
	return names
}

// works reports whether f returns without a JavaScript exception.
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
