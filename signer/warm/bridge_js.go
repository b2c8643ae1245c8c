package warm

import (
	"context"
	"database/sql"
	"io"
	"unsafe"
)

// Worker gives a program access to the Worker's bindings.
type Worker struct {
	bridge *bridge
	events chan []byte
}

// New returns the Worker that runs this program. Call it once.
func New() *Worker {
	w := &Worker{
		bridge: newBridge(func(op op, id uint32, m []byte) {
			send(uint32(op), id, unsafe.Pointer(unsafe.SliceData(m)), uint32(len(m)))
		}),
		events: make(chan []byte, 1), // instance.mjs sends one at a time
	}
	deliver = func(id uint32, m []byte) {
		if id == 0 {
			w.events <- m
		} else {
			w.bridge.reply(id, m)
		}
	}
	return w
}

// Fetch returns the Worker's own fetch.
func (w *Worker) Fetch() Fetch { return Fetch{calls: w.bridge} }

// FetchThrough returns the fetch of a binding in wrangler.toml: a client certificate, which is
// presented with every request, or a service.
func (w *Worker) FetchThrough(binding string) Fetch { return Fetch{calls: w.bridge, binding: binding} }

// RateLimit returns the rate limiter of a binding in wrangler.toml.
func (w *Worker) RateLimit(binding string) RateLimit { return RateLimit{w.bridge, binding} }

// OpenD1 opens the database of a binding in wrangler.toml. A missing binding is reported by the
// first statement.
func (w *Worker) OpenD1(binding string) *sql.DB { return sql.OpenDB(newDatabase(w.bridge, binding)) }

// Queue returns the queue of a binding in wrangler.toml.
func (w *Worker) Queue(binding string) Queue { return Queue{w.bridge.send, binding} }

// RSA returns the platform's RSA.
func (w *Worker) RSA() RSA { return RSA{w.bridge} }

// Log returns a writer for the Worker's log. Each Write is one line and one call to JavaScript;
// os.Stdout would need a dozen.
func (w *Worker) Log() io.Writer { return logWriter{w.bridge} }

type logWriter struct{ bridge *bridge }

func (w logWriter) Write(p []byte) (int, error) {
	w.bridge.send(opLog, 0, p)
	return len(p), nil
}

// Serve runs p for as long as the instance lives. A panic outside a handler ends the program;
// pool.mjs then responds to the event and starts another program.
//
// One goroutine serves all events, so that its stack grows only once.
func (w *Worker) Serve(p Program) {
	for m := range w.events {
		w.bridge.send(opReply, 0, p.event(context.Background(), m).bytes())
	}
}

// deliver is a variable because an exported function has no receiver.
var deliver func(id uint32, m []byte)

// receive is called by instance.mjs with the reply to a call, or with an event if id is 0. It must
// not block, because JavaScript waits for it. The goroutines that it wakes run when instance.mjs
// resumes the program.
//
//go:wasmexport receive
func receive(id, size uint32) {
	m := make([]byte, size)
	take(unsafe.Pointer(unsafe.SliceData(m)))
	deliver(id, m)
}

var _ = receive // called by JavaScript only

// Imported from instance.mjs. A pointer and a length describe a part of Go's memory, valid until
// the call returns.

//go:wasmimport warm send
func send(op, id uint32, p unsafe.Pointer, n uint32)

// take copies the message of the current receive call to p.
//
//go:wasmimport warm take
func take(p unsafe.Pointer)
