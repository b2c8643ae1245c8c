// Command strain prints ok if the runtime's function tables are complete: frame sizes, pointer
// maps, inlining and recovery from panics. Only files and lines are missing.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
)

func main() {
	for name, check := range map[string]func() error{
		"stacks": stacks, "panics": panics, "traces": traces,
	} {
		if err := check(); err != nil {
			fmt.Println(name+":", err)
			os.Exit(1)
		}
	}
	fmt.Println("ok")
}

// node is garbage unless a stack refers to it.
type node struct {
	next *node
	text string
}

// stacks grows many deep stacks during garbage collection and checks their contents.
func stacks() error {
	defer debug.SetGCPercent(debug.SetGCPercent(5))
	var all sync.WaitGroup
	failed := make(chan error, 64)
	for i := range 64 {
		all.Go(func() {
			depth := 200 + 40*i
			if got := descend(depth, &node{text: fmt.Sprint(i)}); got != depth {
				failed <- fmt.Errorf("goroutine %d counted %d of %d frames", i, got, depth)
			}
		})
		if i%8 == 0 {
			runtime.GC()
		}
	}
	all.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// descend keeps a pointer in every frame and checks it on return.
func descend(depth int, last *node) int {
	if depth == 0 {
		runtime.GC()
		return 0
	}
	text := fmt.Sprint("frame ", depth)
	n := &node{last, text}
	if depth%50 == 0 {
		runtime.Gosched()
	}
	count := descend(depth-1, n)
	if n.text != text || n.next != last {
		return -1 << 30
	}
	return count + 1
}

// panics ends functions by panics in their callees.
func panics() error {
	for _, test := range []struct {
		f    func()
		want string
	}{
		{func() { panic("at will") }, "at will"},
		{func() { _ = []int{}[len(os.Args)-1:][len(os.Args)] }, "index out of range"},
		{func() { var n *node; n.text = "x" }, "nil pointer"},
		{func() { var m map[string]int; m["x"] = 1 }, "nil map"},
		{func() { defer func() { panic(fmt.Sprint(recover(), " again")) }(); panic("once") }, "once again"},
	} {
		if got := caught(test.f); !strings.Contains(got, test.want) {
			return fmt.Errorf("recovered %q, want %q", got, test.want)
		}
	}
	return nil
}

func caught(f func()) (text string) {
	deferred := 0
	defer func() {
		if p := recover(); p != nil && deferred == 1 {
			text = fmt.Sprint(p)
		}
	}()
	defer func() { deferred++ }()
	f()
	return "nothing"
}

// traces checks that traces contain the names of functions, including inlined ones, and no files.
func traces() error {
	pcs := make([]uintptr, 10)
	frames := runtime.CallersFrames(pcs[:outer(pcs)])
	var names []string
	for {
		frame, more := frames.Next()
		names = append(names, frame.Function)
		if frame.Line != 0 {
			return fmt.Errorf("%s has line %d", frame.Function, frame.Line)
		}
		if !more {
			break
		}
	}
	if text := strings.Join(names, " "); !strings.HasPrefix(text, "main.inner main.outer main.traces main.main") {
		return errors.New("the frames are " + text)
	}
	if _, file, line, ok := runtime.Caller(0); !ok || line != 0 {
		return fmt.Errorf("this is %s:%d, %v", file, line, ok)
	}
	return nil
}

func outer(pcs []uintptr) int { return inner(pcs) }

func inner(pcs []uintptr) int { return runtime.Callers(1, pcs) }
