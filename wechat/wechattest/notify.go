package wechattest

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// notifyTimeout is how long WeChat waits for the shop's response.
const notifyTimeout = 5 * time.Second

// notifyIntervals is the retry list of a payment notification (docs/wechat.md 6.4). WeChat sends
// the notification at once after the payment. Then up to 15 retries follow, within 24 hours and 4
// minutes in all.
func notifyIntervals() []time.Duration {
	const s, m, h = time.Second, time.Minute, time.Hour
	return []time.Duration{15 * s, 15 * s, 30 * s, 3 * m, 10 * m, 20 * m, 30 * m, 30 * m, 30 * m, 60 * m, 3 * h, 3 * h, 3 * h, 6 * h, 6 * h}
}

// The states of a Notification.
const (
	NotifyWaiting      = "waiting"      // a send is planned or under way
	NotifyAcknowledged = "acknowledged" // the shop answered SUCCESS
	NotifyAbandoned    = "abandoned"    // the retry list is used up, or the shop rejected a forged one
	NotifyLost         = "lost"         // a fault: it is never sent
)

// Notification is one notification with all its sends, of a payment or, with an
// OutRefundNo, of a refund.
type Notification struct {
	ID          string    `json:"id"`
	OutTradeNo  string    `json:"out_trade_no"`
	OutRefundNo string    `json:"out_refund_no,omitempty"`
	URL         string    `json:"url"`
	Forge       string    `json:"forge,omitempty"`
	State       string    `json:"state"`
	Attempts    []Attempt `json:"attempts"`
	Next        time.Time `json:"next,omitzero"` // of the planned send
}

// Attempt is one send.
type Attempt struct {
	Time    time.Time `json:"time"`
	Status  int       `json:"status"`            // HTTP status, 0 without a response
	OK      bool      `json:"ok"`                // the shop acknowledged
	Reason  string    `json:"reason,omitempty"`  // why it does not count
	Message int64     `json:"message,omitempty"` // its Seq in the history
}

// notification is a Notification with what it sends; w.mu guards it.
type notification struct {
	Notification
	order   *order
	refund  *refund  // nil of a payment
	last    delivery // of the last send, for replay
	retries int      // of the retry list that were used
}

// delivery is one body to send to the shop, with its fields in the log.
type delivery struct {
	body   string
	signed *Signed // of a payment, and of APIv3
	plain  string  // the decrypted part: req_info of a refund, the resource of APIv3
	v3     bool
	header http.Header // of APIv3: the signature
	note   string      // which faults were applied
}

// kind is the Kind of its messages.
func (n *notification) kind() string {
	if n.refund != nil {
		return "refund_notify"
	}
	return "notify"
}

// newNotification enters a notification in the ledger; the caller holds w.mu.
func (w *WeChat) newNotification(o *order, r *refund, forge string) *notification {
	n := &notification{
		Notification: Notification{ID: "n" + w.ids.text(alnum, 12), OutTradeNo: o.OutTradeNo, URL: o.NotifyURL, Forge: forge, State: NotifyWaiting},
		order:        o, refund: r,
	}
	if r != nil {
		n.OutRefundNo, n.URL = r.OutRefundNo, r.NotifyURL
	}
	w.notifications = append(w.notifications, n)
	return n
}

// planNotification starts the notification of a payment, or of a refund when r is set;
// the caller holds w.mu.
func (w *WeChat) planNotification(o *order, r *refund, now time.Time) {
	n := w.newNotification(o, r, "")
	if _, ok := w.takeFault(FaultNotifyLost, ""); ok {
		n.State = NotifyLost
		w.record(Message{From: PartyWeChat, To: PartyShop, Kind: n.kind(), Method: http.MethodPost, URL: n.URL, Note: "fault notify_lost: never sent"})
		return
	}
	if _, ok := w.takeFault(FaultNotifyReordered, ""); ok && w.held == nil {
		w.held = n
		return
	}
	due := now
	if f, ok := w.takeFault(FaultNotifyDelayed, ""); ok {
		due = now.Add(time.Duration(f.DelayMS) * time.Millisecond)
	}
	w.planSend(n, due)
	if held := w.held; held != nil {
		w.held = nil
		w.planSend(held, due.Add(time.Second))
	}
}

// planSend plans one send; the caller holds w.mu.
func (w *WeChat) planSend(n *notification, due time.Time) {
	n.Next = due
	w.clock.at(due, func() { w.send(n) })
}

// send is one place of the retry list.
func (w *WeChat) send(n *notification) {
	w.mu.Lock()
	if n.State != NotifyWaiting { // acknowledged meanwhile, by Notify
		w.mu.Unlock()
		return
	}
	n.Next = time.Time{}
	w.mu.Unlock()
	if _, ok := w.takeFault(FaultNotifyDropped, ""); ok {
		m := w.record(Message{From: PartyWeChat, To: PartyShop, Kind: n.kind(), Method: http.MethodPost, URL: n.URL, Note: "fault notify_dropped: this attempt is lost"})
		w.attempted(n, Attempt{Time: w.Now(), Reason: "lost (fault notify_dropped)", Message: m.Seq})
		return
	}
	l := w.write(n, "")
	if _, ok := w.takeFault(FaultNotifyDoubled, ""); !ok {
		w.attempted(n, w.post(n, l, ""))
		return
	}
	w.attempted(n, w.postTwice(n, l, "fault notify_doubled: sent twice at once")...)
}

// againAfter is how long after the acknowledgement notify_again repeats it.
const againAfter = 5 * time.Second

// sendAgain repeats a notification that the shop has acknowledged. WeChat may repeat
// one even after success, and from more than one server.
func (w *WeChat) sendAgain(n *notification) {
	copies := w.postTwice(n, w.write(n, ""), "fault notify_again: sent twice at once though it was acknowledged")
	w.mu.Lock()
	defer w.mu.Unlock()
	n.Attempts = append(n.Attempts, copies...)
}

// postTwice sends a delivery twice at once.
func (w *WeChat) postTwice(n *notification, l delivery, note string) []Attempt {
	copies := make([]Attempt, 2)
	var wg sync.WaitGroup
	for i := range copies {
		wg.Go(func() { copies[i] = w.post(n, l, note) })
	}
	wg.Wait()
	return copies
}

// attempted notes the outcome of one place of the retry list and plans the
// next one unless the shop acknowledged.
func (w *WeChat) attempted(n *notification, as ...Attempt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n.Attempts = append(n.Attempts, as...)
	if slices.ContainsFunc(as, func(a Attempt) bool { return a.OK }) {
		n.State, n.Next = NotifyAcknowledged, time.Time{}
		if _, ok := w.takeFault(FaultNotifyAgain, ""); ok && n.Forge == "" {
			w.clock.at(w.Now().Add(againAfter), func() { w.sendAgain(n) })
		}
		return
	}
	if n.Forge != "" {
		n.State = NotifyAbandoned
		return
	}
	if n.State != NotifyWaiting {
		return
	}
	n.retries++
	if n.retries > len(w.cfg.NotifyIntervals) {
		n.State = NotifyAbandoned
		return
	}
	w.planSend(n, w.Now().Add(w.cfg.NotifyIntervals[n.retries-1]))
}

// write writes the body of a send, or a forged one. Every send has a nonce of
// its own, so two sends of one notification are not equal.
func (w *WeChat) write(n *notification, forge string) delivery {
	old := forge == ForgeOtherVersion || forge == ForgeDoctype // messages of APIv2
	switch {
	case n.refund != nil && n.refund.NotifyVersion == VersionV3 && !old:
		return w.v3RefundDelivery(n, forge)
	case n.refund != nil:
		return w.refundDelivery(n.refund, forge)
	case n.order.Version == VersionV3 && !old:
		return w.v3PaymentDelivery(n, forge)
	}
	return w.paymentDelivery(n.order, forge)
}

// post sends a notification once and checks the response.
func (w *WeChat) post(n *notification, l delivery, note string) Attempt {
	a := Attempt{Time: w.Now()}
	m := Message{From: PartyWeChat, To: PartyShop, Kind: n.kind(), Method: http.MethodPost, URL: n.URL, Request: l.body, Signed: l.signed, Plain: l.plain, Note: joinNotes(note, l.note)}
	m.RequestHeader = headerLines(l.header, v3SignatureHeaders...)
	if n.Forge != "" {
		m.Note = joinNotes(m.Note, "forged: "+n.Forge)
	}
	ctx, cancel := context.WithTimeout(w.ctx, w.cfg.NotifyTimeout)
	defer cancel()
	a.Status, m.Response, a.Reason = w.deliver(ctx, n.URL, l)
	a.OK = a.Reason == ""
	m.Status = a.Status
	if a.OK {
		m.Note = joinNotes(m.Note, "acknowledged")
	} else {
		m.Note = joinNotes(m.Note, "not acknowledged: "+a.Reason)
	}
	w.mu.Lock()
	n.last = l
	w.mu.Unlock()
	a.Message = w.record(m).Seq
	return a
}

// deliver makes the request. reason is empty if the shop acknowledged, with HTTP 200 and a SUCCESS
// message (docs/wechat.md 6.3). Any other response, a redirect or a time-out counts as failure. For
// a delivery of APIv3 the status 200 or 204 suffices, whatever the body is.
func (w *WeChat) deliver(ctx context.Context, url string, l delivery) (status int, answer, reason string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(l.body))
	if err != nil {
		return 0, "", "notify_url cannot be called"
	}
	req.Header.Set("Content-Type", "text/xml")
	req.Header.Set("User-Agent", "Mozilla/4.0")
	if l.v3 {
		req.Header.Set("Content-Type", "application/json")
		maps.Copy(req.Header, l.header)
	}
	res, err := w.doer.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return 0, "", fmt.Sprintf("no response within %s", w.cfg.NotifyTimeout)
		}
		return 0, "", "the shop cannot be reached: " + err.Error()
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	if err != nil {
		return res.StatusCode, string(raw), "the response is incomplete"
	}
	if l.v3 && acknowledgedV3(res.StatusCode) {
		return res.StatusCode, string(raw), ""
	}
	if l.v3 || res.StatusCode != http.StatusOK {
		return res.StatusCode, string(raw), fmt.Sprintf("HTTP status %d", res.StatusCode)
	}
	fields, err := parseXML(string(raw))
	if err != nil {
		return res.StatusCode, string(raw), "the response is not a flat XML message: " + err.Error()
	}
	if rc := valueOf(fields, "return_code"); rc != "SUCCESS" {
		return res.StatusCode, string(raw), fmt.Sprintf("return_code is %q: %s", rc, valueOf(fields, "return_msg"))
	}
	return res.StatusCode, string(raw), ""
}
