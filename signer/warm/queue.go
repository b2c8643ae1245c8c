package warm

// Queue is the producer's side of a queue that wrangler.toml binds.
type Queue struct {
	send    func(op op, id uint32, m []byte)
	binding string
}

// Send hands a message over and returns at once. The entry sends it while the
// event goes on, and after the event was answered if need be: nobody waits for
// the queue. So a failure is in the log alone, and what must not be lost does
// not belong here. body is JSON.
func (q Queue) Send(body string) {
	q.send(opEnqueue, 0, newMessage().add(q.binding).add(body).bytes())
}
