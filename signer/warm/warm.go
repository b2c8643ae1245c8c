// Package warm runs a Go program as a Cloudflare Worker that outlives its
// requests. It is the Go side of pool.mjs, which keeps such programs and hands
// each of them one event at a time.
//
// What crosses the border crosses whole, as one message: requests, answers,
// statements, rows. Only bridge_js.go touches JavaScript.
package warm

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

// Program is what a Worker does. A nil field answers its events with an error.
//
// A handler returns when all it began has ended. A goroutine that it leaves
// behind may compute and may set timers, but a call of it belongs to an event
// that is over: workerd may never answer it, or answer it in the middle of
// another event.
type Program struct {
	Handler http.Handler
	// Cron is called by the triggers of wrangler.toml. at is when it was due.
	Cron func(ctx context.Context, pattern string, at time.Time) error
	// Queue takes a batch. Messages it does not acknowledge come again.
	Queue func(ctx context.Context, batch *Batch) error
}

// Batch is what a queue delivers at once.
type Batch struct {
	Queue    string
	Messages []Message
}

// Message is one message of a queue.
type Message struct {
	ID       string
	Attempts int    // this delivery included
	Body     []byte // what was sent, as JSON
	acked    bool
}

// Ack keeps the message from coming again, whatever becomes of the batch.
func (m *Message) Ack() { m.acked = true }

// op is what Go asks JavaScript for; the numbers are those of instance.mjs.
type op uint32

const (
	opAnswer op = iota // of an event
	opLog              // a line for the log, no reply
	opAbort            // of a fetch, no reply of its own
	opFetch
	opExec
	opQuery
	opLimit
	opEnqueue // no reply
	opSign
	opVerify
)

// caller asks JavaScript for something and waits for the reply.
type caller interface {
	call(ctx context.Context, op op, m *message) (*reader, error)
}

// border pairs calls with their replies. send hands a message to JavaScript.
type border struct {
	send func(op op, id uint32, m []byte)

	mu      sync.Mutex
	last    uint32
	waiting map[uint32]chan []byte
}

func newBorder(send func(op op, id uint32, m []byte)) *border {
	return &border{send: send, waiting: map[uint32]chan []byte{}}
}

// call sends m and returns the reply. When ctx ends first it aborts the call
// and waits for its end all the same: the reply says what became of it, and a
// statement may have been done.
func (b *border) call(ctx context.Context, op op, m *message) (*reader, error) {
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

// reply ends the call it belongs to.
func (b *border) reply(id uint32, m []byte) {
	b.mu.Lock()
	waiting := b.waiting[id]
	delete(b.waiting, id)
	b.mu.Unlock()
	if waiting != nil {
		waiting <- m
	}
}

// Kinds of events.
const (
	eventRequest = "request"
	eventCron    = "cron"
	eventQueue   = "queue"
)

// event does what an event asks for and returns the answer.
func (p Program) event(ctx context.Context, m []byte) *message {
	r := newReader(m)
	switch kind := r.string(); {
	case kind == eventRequest && p.Handler != nil:
		req, err := readRequest(ctx, r)
		if err != nil {
			return outcome(err)
		}
		w := &wholeWriter{header: http.Header{}}
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
	}
	return outcome(errors.New("warm: nothing here takes this event"))
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

// outcome begins an answer: with what went wrong, "" when nothing did.
func outcome(err error) *message {
	if err != nil {
		return newMessage().add(err.Error())
	}
	return newMessage().add("")
}
