package warm

// Queue sends messages to a queue that wrangler.toml binds.
type Queue struct {
	send    func(op op, id uint32, m []byte)
	binding string
}

// Send sends a message, which is JSON, and returns at once. The Worker keeps the event open until
// the message is sent. A failure is only logged, so do not use it for messages that must not be
// lost.
func (q Queue) Send(body string) {
	q.send(opEnqueue, 0, newMessage().add(q.binding).add(body).bytes())
}
