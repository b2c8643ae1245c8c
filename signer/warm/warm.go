// Package warm runs a Go program as a Cloudflare Worker that serves many requests. It is the Go
// side of pool.mjs, which keeps such programs and passes each of them one event at a time.
//
// Every request, response, statement and result is transferred as one message. Only bridge_js.go
// uses JavaScript.
package warm

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

// Program is the code of a Worker. Events of a nil field fail with an error.
//
// Do not leave goroutines running that call JavaScript. workerd ties I/O to the request that
// started it. A call made after the handler returned may never complete, or may complete during
// another request.
type Program struct {
	Handler http.Handler
	// Cron handles the triggers of wrangler.toml. at is the scheduled time.
	Cron func(ctx context.Context, pattern string, at time.Time) error
	// Queue handles a batch. Messages without Ack are delivered again if it returns an error.
	Queue func(ctx context.Context, batch *Batch) error
	// WarmUp does what requests often do, so that they need not wait for V8's compiler; nil does
	// nothing. It runs in a program of its own, which handles no event. There all random values are
	// predictable, the database only repeats the results of recorded.mjs, every response to a fetch
	// is empty, and every signature is accepted. An error is logged with the first event. See
	// globalscope.mjs.
	WarmUp func(ctx context.Context) error
}

// Batch is one delivery of a queue.
type Batch struct {
	Queue    string
	Messages []Message
}

// Message is one message of a queue.
type Message struct {
	ID       string
	Attempts int    // including this delivery
	Body     []byte // the JSON that was sent
	acked    bool
}

// Ack marks the message as done, even if the batch fails.
func (m *Message) Ack() { m.acked = true }

// op is an operation of JavaScript; the numbers are those of operation.mjs.
type op uint32

const (
	opReply op = iota // ends an event
	opLog             // a line for the log, no reply
	opAbort           // aborts a fetch, no reply of its own
	opFetch
	opExec
	opQuery
	opLimit
	opEnqueue // no reply
	opSign
	opVerify
	opBatch
)

// caller runs an operation in JavaScript and waits for the reply.
type caller interface {
	call(ctx context.Context, op op, m *message) (*reader, error)
}

// bridge matches calls with their replies. send passes a message to JavaScript.
type bridge struct {
	send func(op op, id uint32, m []byte)

	mu      sync.Mutex
	last    uint32
	waiting map[uint32]chan []byte
}

func newBridge(send func(op op, id uint32, m []byte)) *bridge {
	return &bridge{send: send, waiting: map[uint32]chan []byte{}}
}

// call sends m and returns the reply. If ctx ends first, it aborts the call and still waits for the
// reply, because a statement may have run.
func (b *bridge) call(ctx context.Context, op op, m *message) (*reader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	reply := make(chan []byte, 1)
	b.mu.Lock()
	b.last++
	id := b.last
	b.waiting[id] = reply
	b.mu.Unlock()
	b.send(op, id, m.bytes())
	var answer []byte
	if done := ctx.Done(); done == nil {
		answer = <-reply
	} else {
		select {
		case answer = <-reply:
		case <-done:
			b.send(opAbort, id, nil)
			answer = <-reply
		}
	}
	r := newReader(answer)
	if failure := r.string(); failure != "" {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return nil, errors.New(failure)
	}
	return r, r.err
}

// reply completes the call with the id.
func (b *bridge) reply(id uint32, m []byte) {
	b.mu.Lock()
	waiting := b.waiting[id]
	delete(b.waiting, id)
	b.mu.Unlock()
	if waiting != nil {
		waiting <- m
	}
}

// The kinds of events.
const (
	eventRequest = "request"
	eventCron    = "cron"
	eventQueue   = "queue"
	eventWarmUp  = "warmup"
)

// event handles an event and returns the reply.
func (p Program) event(ctx context.Context, m []byte) *message {
	r := newReader(m)
	switch kind := r.string(); {
	case kind == eventRequest && p.Handler != nil:
		req, err := readRequest(ctx, r)
		if err != nil {
			return outcome(err)
		}
		w := &bufferedWriter{header: http.Header{}}
		p.Handler.ServeHTTP(w, req)
		m := outcome(nil)
		w.addTo(m)
		return m
	case kind == eventCron && p.Cron != nil:
		pattern, at := r.string(), time.UnixMilli(int64(r.int()))
		if r.err != nil {
			return outcome(r.err)
		}
		return outcome(p.Cron(ctx, pattern, at))
	case kind == eventQueue && p.Queue != nil:
		return p.queue(ctx, r)
	case kind == eventWarmUp:
		if p.WarmUp == nil {
			return outcome(nil)
		}
		return outcome(p.WarmUp(ctx))
	}
	return outcome(errors.New("warm: no handler for this event"))
}

func (p Program) queue(ctx context.Context, r *reader) *message {
	batch := &Batch{Queue: r.string()}
	for range r.count() {
		batch.Messages = append(batch.Messages, Message{ID: r.string(), Attempts: r.int(), Body: []byte(r.string())})
	}
	if r.err != nil {
		return outcome(r.err)
	}
	m := outcome(p.Queue(ctx, batch))
	for _, message := range batch.Messages {
		if message.acked {
			m.add(message.ID)
		}
	}
	return m
}

// outcome begins a reply with the error text, "" for nil.
func outcome(err error) *message {
	if err != nil {
		return newMessage().add(err.Error())
	}
	return newMessage().add("")
}
