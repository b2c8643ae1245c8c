package wechattest

import (
	"strings"
	"sync"
	"time"
)

// The parties of a Message.
const (
	PartyShop   = "shop"   // the merchant's server
	PartyPage   = "page"   // the shop's page in the phone
	PartyPhone  = "phone"  // the phone itself, or its owner
	PartyWeChat = "wechat" // WeChat's servers
)

// Message is one exchange with WeChat, or between the phone and the shop. Request
// and Response are the bodies as sent, except that the merchant's key and the
// appsecret are replaced by "<APIv2 key>" and "<appsecret>".
type Message struct {
	Seq  int64     `json:"seq"`
	Time time.Time `json:"time"` // the simulator's clock
	From string    `json:"from"`
	To   string    `json:"to"`
	// Kind names the call: authorize, access_token, userinfo, unifiedorder,
	// orderquery, closeorder, refund, getBrandWCPayRequest, notify, ...
	Kind     string  `json:"kind"`
	Method   string  `json:"method"`
	URL      string  `json:"url"`
	Status   int     `json:"status"` // HTTP status, 0 without a response
	Request  string  `json:"request"`
	Response string  `json:"response"`
	Signed   *Signed `json:"signed,omitempty"`
	// RequestHeader and ResponseHeader are the headers that APIv3 signs or reads, one
	// a line. Reply is the signature of a response of APIv3.
	RequestHeader  string  `json:"request_header,omitempty"`
	ResponseHeader string  `json:"response_header,omitempty"`
	Reply          *Signed `json:"reply,omitempty"`
	// Plain is the decrypted part of the request: req_info of a refund notification.
	Plain string `json:"plain,omitempty"`
	// Note has, in English, details that WeChat does not send: the cause of a decline, the mistake in
	// a wrong signature, or the fault that was applied.
	Note string `json:"note,omitempty"`
}

// Signed is a signature that WeChat checked or made.
type Signed struct {
	// String is the signed text. In APIv2 it ends in "key=<APIv2 key>".
	String string `json:"string"`
	// Yours is the text that the other side signed, if its signature is wrong and one of the usual
	// mistakes of APIv3 explains it.
	Yours     string `json:"yours,omitempty"`
	Algorithm string `json:"algorithm"` // MD5, HMAC-SHA256 or WECHATPAY2-SHA256-RSA2048
	Expected  string `json:"expected,omitempty"`
	Given     string `json:"given"`
	OK        bool   `json:"ok"`
}

// The kinds of Event.
const (
	EventMessage     = "message"
	EventSheet       = "sheet"
	EventConsent     = "consent"
	EventRefund      = "refund"
	EventClock       = "clock"
	EventUser        = "user"
	EventFault       = "fault"
	EventEnvironment = "environment"
	EventV3          = "v3"
)

// Event is a change. Kind determines which pointer is set. EventClock, EventFault and EventV3 set
// none. EventV3 reports that a key or the mode of APIv3 changed: V3 returns them.
type Event struct {
	Kind    string    `json:"kind"`
	Now     time.Time `json:"now"` // the simulator's clock
	Message *Message  `json:"message,omitempty"`
	Sheet   *Sheet    `json:"sheet,omitempty"`
	Consent *Consent  `json:"consent,omitempty"`
	Refund  *Refund   `json:"refund,omitempty"`
	User    *User     `json:"user,omitempty"`
	Place   *Place    `json:"place,omitempty"`
}

// history keeps the last messages and notifies subscribers.
type history struct {
	mu     sync.Mutex
	limit  int
	seq    int64
	ring   []Message
	subs   map[chan Event]bool
	closed bool
}

func newHistory(limit int) *history {
	return &history{limit: limit, subs: map[chan Event]bool{}}
}

// Messages returns the kept messages with a Seq above after, oldest first.
func (w *WeChat) Messages(after int64) []Message {
	h := w.history
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, m := range h.ring {
		if m.Seq > after {
			return append([]Message(nil), h.ring[i:]...)
		}
	}
	return nil
}

// Subscribe returns a channel of the events from now on, and a function that ends
// the subscription. A subscriber that is 256 events behind misses the next ones: it
// can read Messages(after) again. The channel is closed at the end of the
// subscription and by Close.
func (w *WeChat) Subscribe() (<-chan Event, func()) {
	h := w.history
	ch := make(chan Event, 256)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		close(ch)
		return ch, func() {}
	}
	h.subs[ch] = true
	return ch, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.subs[ch] {
			delete(h.subs, ch)
			close(ch)
		}
	}
}

// publish notifies every subscriber; it never blocks.
func (w *WeChat) publish(e Event) {
	e.Now = w.Now()
	h := w.history
	h.mu.Lock()
	defer h.mu.Unlock()
	h.send(e)
}

func (h *history) send(e Event) {
	for ch := range h.subs {
		select {
		case ch <- e:
		default: // documented at Subscribe
		}
	}
}

// record masks, numbers, keeps and publishes a message.
func (w *WeChat) record(m Message) Message {
	m.Time = w.Now()
	m.URL, m.Request, m.Response = w.mask(m.URL), w.mask(m.Request), w.mask(m.Response)
	m.Note, m.Plain = w.mask(m.Note), w.mask(m.Plain)
	m.RequestHeader, m.ResponseHeader = w.mask(m.RequestHeader), w.mask(m.ResponseHeader)
	for _, signed := range []**Signed{&m.Signed, &m.Reply} {
		if *signed != nil {
			s := **signed
			s.String, s.Yours = w.mask(s.String), w.mask(s.Yours)
			*signed = &s
		}
	}
	h := w.history
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq++
	m.Seq = h.seq
	if len(h.ring) >= h.limit {
		h.ring = append(h.ring[:0:0], h.ring[len(h.ring)-h.limit+1:]...)
	}
	h.ring = append(h.ring, m)
	h.send(Event{Kind: EventMessage, Now: m.Time, Message: &m})
	return m
}

// mask hides the secrets; they are letters and digits, so no encoding of
// URLs or XML changes their spelling.
func (w *WeChat) mask(s string) string {
	s = strings.ReplaceAll(s, w.cfg.APIKey, "<APIv2 key>")
	for _, key := range w.apiV3Keys() {
		s = strings.ReplaceAll(s, key, "<APIv3 key>")
	}
	return strings.ReplaceAll(s, w.cfg.AppSecret, "<appsecret>")
}

// close ends every subscription.
func (h *history) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for ch := range h.subs {
		delete(h.subs, ch)
		close(ch)
	}
}
