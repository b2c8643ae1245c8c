package dom

import "syscall/js"

func Stored(storage, key string) (value string) {
	defer Catch(nil) // storage is blocked
	if s := Member(js.Global(), storage); IsStorage(s) {
		return Text(s.Call("getItem", key))
	}
	return ""
}

func Store(storage, key, value string) {
	defer Catch(nil) // storage is blocked or full
	switch s := Member(js.Global(), storage); {
	case !IsStorage(s):
	case value == "":
		s.Call("removeItem", key)
	default:
		s.Call("setItem", key, value)
	}
}

// IsStorage reports whether the object is a real storage and not the one that replaceBrokenAPIs
// sets.
func IsStorage(storage js.Value) bool {
	return storage.Type() == js.TypeObject && Member(storage, "getItem").Type() == js.TypeFunction
}

// ReplaceBrokenAPIs replaces APIs that throw in this browser. go-app lists localStorage and opens a
// BroadcastChannel before it shows anything, and would end there. It gets an empty object and no
// channel instead.
func ReplaceBrokenAPIs() {
	defer Catch(nil)
	if !Works(func() {
		local := Member(js.Global(), "localStorage")
		for _, key := range append(keysOf(local), "h5pay") {
			local.Call("getItem", key)
		}
	}) {
		replaceGlobal("localStorage", map[string]any{})
	}
	if !Works(func() {
		if channel := Member(js.Global(), "BroadcastChannel"); channel.Truthy() {
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

// Works reports whether f returns without a JavaScript exception.
func Works(f func()) (ok bool) {
	var err error
	defer func() { ok = err == nil }()
	defer Catch(&err)
	f()
	return
}

func replaceGlobal(name string, value any) {
	js.Global().Get("Object").Call("defineProperty", js.Global(), name, map[string]any{"value": value, "configurable": true})
}
