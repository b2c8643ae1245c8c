package main

import (
	"context"
	"syscall/js"
)

// takeEarly returns the answer to a call that was made while the program was on
// its way, see site/first.js, once. It reports false when there is none, or when
// that call failed: the program then makes it itself.
func takeEarly(ctx context.Context, method, path string) (answer, bool) {
	early := member(js.Global(), "early")
	if method != "GET" || early.Type() != js.TypeObject {
		return answer{}, false
	}
	call := early.Get(path)
	if call.Type() != js.TypeObject {
		return answer{}, false
	}
	early.Delete(path)
	got, err := receive(ctx, call.Get("answer"), call.Get("abort"))
	return got, err == nil
}

func (webView) Landing() string {
	early := member(js.Global(), "early")
	if early.Type() != js.TypeObject {
		return ""
	}
	query := str(early.Get("landing"))
	early.Set("landing", "")
	return query
}
