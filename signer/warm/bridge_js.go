package warm

import (
	"context"
	"database/sql"
	"io"
	"unsafe"
)

// Worker is the side of JavaScript: what a program may ask for.
type Worker struct {
	border *border
	events chan []byte
}

// New returns the Worker that runs this program. There is one.
func New() *Worker {
	w := &Worker{
		border: newBorder(func(op op, id uint32, m []byte) {
			send(uint32(op), id, unsafe.Pointer(unsafe.SliceData(m)), uint32(len(m)))
		}),
		events: make(chan []byte, 1), // instance.mjs sends one at a time
	}
	deliver = func(id uint32, m []byte) {
		if id == 0 {
			w.events <- m
		} else {
			w.border.reply(id, m)
		}
	}
	return w
}

// Fetch returns the Worker's fetch.
func (w *Worker) Fetch() Fetch { return Fetch{calls: w.border} }

// FetchThrough returns the fetch of what wrangler.toml binds to a name: of a
// client certificate, which is presented with every request, or of a service.
func (w *Worker) FetchThrough(binding string) Fetch { return Fetch{calls: w.border, binding: binding} }

// RateLimit returns the rate limiter that wrangler.toml binds to a name.
func (w *Worker) RateLimit(binding string) RateLimit { return RateLimit{w.border, binding} }

// OpenD1 opens the database that wrangler.toml binds to a name. It does not
// look whether there is one; the first statement does.
func (w *Worker) OpenD1(binding string) *sql.DB { return sql.OpenDB(newDatabase(w.border, binding)) }

// Queue returns the queue that wrangler.toml binds to a name.
func (w *Worker) Queue(binding string) Queue { return Queue{w.border.send, binding} }

// RSA returns the platform's RSA.
func (w *Worker) RSA() RSA { return RSA{w.border} }

// Log returns a writer for the Worker's log, one line for every Write.
// os.Stdout would cost a dozen crossings for each.
func (w *Worker) Log() io.Writer { return logWriter{w.border} }

type logWriter struct{ border *border }

func (w logWriter) Write(p []byte) (int, error) {
	w.border.send(opLog, 0, p)
	return len(p), nil
}

// Serve runs p for as long as the instance lives. An event that panics takes
// the program with it; pool.mjs answers for it and starts another.
//
// All events are served by this goroutine, so that its stack grows once and not
// for each of them.
func (w *Worker) Serve(p Program) {
	for m := range w.events {
		w.border.send(opAnswer, 0, p.event(context.Background(), m).bytes())
	}
}

// deliver takes what receive has received: an export has no receiver to keep
// it in.
var deliver func(id uint32, m []byte)

// receive is called by instance.mjs with the reply to a call, or with an event
// when id is 0. It must not wait: JavaScript waits for it. The goroutines it
// wakes run when instance.mjs resumes the program after it.
//
//go:wasmexport receive
func receive(id, size uint32) {
	m := make([]byte, size)
	take(unsafe.Pointer(unsafe.SliceData(m)))
	deliver(id, m)
}

var _ = receive // called, but not from Go

// The crossings, provided by instance.mjs. A pointer and a length are a piece
// of Go's memory, good until the call returns.

//go:wasmimport warm send
func send(op, id uint32, p unsafe.Pointer, n uint32)

// take copies the message that receive is called for to p.
//
//go:wasmimport warm take
func take(p unsafe.Pointer)
