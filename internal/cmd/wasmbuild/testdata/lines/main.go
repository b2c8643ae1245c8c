// Command lines prints the frames of a trace: functions of its own, and functions of the standard
// library between them.
package main

import (
	"fmt"
	"path"
	"runtime"
	"sort"
	"sync"
)

func main() {
	var once sync.Once
	once.Do(sorted) // line 15
}

func sorted() {
	n := []int{2, 1}
	printed := false
	sort.Slice(n, func(i, j int) bool { // line 21
		if !printed {
			printed = true
			called() // line 24
		}
		return n[i] < n[j]
	})
}

func called() { print(make([]uintptr, 20)) } // line 30

//go:noinline
func print(pcs []uintptr) {
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)]) // line 34
	for {
		frame, more := frames.Next()
		if frame.Function == "runtime.main" || !more {
			return
		}
		fmt.Printf("%s %s:%d\n", frame.Function, path.Base(frame.File), frame.Line)
	}
}
