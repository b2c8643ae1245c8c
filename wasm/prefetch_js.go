package main

import (
	"context"
	"syscall/js"
)

// takePrefetched returns the answer to a call that was made while the program was on
// its way, see site/first.js, once. It reports false when there is none, or when
// that call failed: the program then makes it itself.
func takePrefetched(ctx context.Context, method, path string) (answer, bool) {
	startup := member(js.Global(), "startup")
	if method != "GET" || startup.Type() != js.TypeObject {
		return answer{}, false
	}
	call := startup.Get(path)
	if call.Type() != js.TypeObject {
		return answer{}, false
	}
	startup.Delete(path)
	got, err := receive(ctx, call.Get("answer"), call.Get("abort"))
	return got, err == nil
}

func (webView) SignInQuery() string {
	startup := member(js.Global(), "startup")
	if startup.Type() != js.TypeObject {
		return ""
	}
	query := str(startup.Get("signInQuery"))
	startup.Set("signInQuery", "")
	return query
}
