package campaign

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"sync"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/paytest"
	"h5pay/internal/store"
	"h5pay/wechat/wechattest"
)

// strangers are the addresses of guests who order and never pay. Two of them share an address.
var strangers = []string{"198.51.100.7", "198.51.100.7", "198.51.100.8"}

// flood is one burst of orders from a stranger.
type flood struct {
	stranger int
	fresh    bool // in a new session, as a guest that the shop does not know
	cancels  bool // each order is cancelled at once
	orders   int
}

// stranger floods the shop with orders.
type stranger struct {
	*buyer
	number int
	mu     sync.Mutex
	sent   int      // orders so far
	open   []string // confirmed orders that are not cancelled
}

// flooding is the state of all strangers.
type flooding struct {
	strangers []*stranger
	mu        sync.Mutex
	keys      map[string]*stranger // by client_key that was sent
	confirmed map[string]string    // order ID by client_key, of confirmed orders
}

func newFlooding(w *World) *flooding {
	f := &flooding{keys: map[string]*stranger{}, confirmed: map[string]string{}}
	for i, ip := range strangers {
		b := newBuyer(w, wechattest.User{})
		b.ip = ip
		f.strangers = append(f.strangers, &stranger{buyer: b, number: i})
	}
	return f
}

// ordersHere reports whether a step creates an order.
func ordersHere(s step) bool {
	return s.do == doOrder || s.do == doDouble || s.do == doCreate || slices.ContainsFunc(s.together, ordersHere)
}

// BoundsOf returns limits of unpaid orders that a plan's strangers reach and its buyers do not. A
// guest buyer may leave all planned orders of two days unpaid.
func BoundsOf(p Plan) store.Bounds {
	own, all := 0, 0 // orders of one guest, of all guests
	for first := range p.Rounds {
		orders, tried := map[int]int{}, map[int]bool{}
		span := time.Duration(0)
		for _, r := range p.Rounds[first:] {
			for _, v := range r.visits {
				if v.order < 0 || tried[v.order] || p.Orders[v.order].person < people || !slices.ContainsFunc(v.steps, ordersHere) {
					continue
				}
				tried[v.order] = true // a later attempt may be the first that succeeds
				person := p.Orders[v.order].person
				orders[person]++
				own = max(own, orders[person])
			}
			if span += r.leap; span > 48*time.Hour {
				break
			}
		}
		all = max(all, len(tried))
	}
	b := store.Bounds{Buyer: 1_000_000, Guest: own + 2, NetworkGuests: own + 6}
	b.Guests = all + 2*b.NetworkGuests
	return b
}

// flood runs one burst: a stranger orders by QR code as fast as responses arrive.
func (c *Campaign) flood(f flood) {
	s := c.floods.strangers[f.stranger]
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.fresh {
		s.client.Jar, _ = cookiejar.New(nil) // cookiejar.New without options returns no error
		s.open = nil                         // the new guest cannot cancel them
	}
	for range f.orders {
		id := c.floodOrder(s)
		if id == "" {
			continue
		}
		s.open = append(s.open, id)
		if s.sent%3 == 0 { // WeChat never receives the others
			c.floodPay(s, id)
		}
		if f.cancels {
			c.floodCancel(s)
		}
	}
	if len(s.open) > 0 && !f.cancels {
		c.floodCancel(s)
	}
	c.checkBounds()
}

// floodOrder creates one order and returns its ID, "" if none was confirmed.
func (c *Campaign) floodOrder(s *stranger) string {
	key := fmt.Sprintf("flood-%d-%d-%08d", c.Seed, s.number, s.sent)
	s.sent++
	c.floods.mu.Lock()
	c.floods.keys[key] = s
	c.floods.mu.Unlock()
	req := api.CreateOrderRequest{Items: []api.OrderItem{{ProductID: "test", Quantity: 1}}, ClientKey: key}
	seen := c.fullness.state()
	var made api.Order
	a, err := s.call(http.MethodPost, api.PathOrders, req, &made)
	switch {
	case errors.Is(err, ErrNoResponse):
	case err != nil:
		c.Note(Wrong, "", "an order of a stranger: %v", err)
	case a.status == http.StatusOK:
		c.count("flood: order made")
		c.floods.mu.Lock()
		c.floods.confirmed[key] = made.ID
		c.floods.mu.Unlock()
		return made.ID
	case a.Code == api.CodeUnauthenticated:
		s.signIn()
		c.count("flood: session made")
	case a.Code == api.CodeTooManyOrders:
		c.count("flood: order rejected, too_many_orders")
	case a.Code == api.CodeShopFull:
		c.fullness.check(c.World, seen)
	case a.Code == api.CodeBusy, a.Code == api.CodeWeChatBusy, a.Code == api.CodeInternal: // the worker checks CodeInternal
	default:
		c.Note(Wrong, "", "an order of a stranger: status %d %.200s", a.status, a.body)
	}
	return ""
}

// floodPay requests what pays a stranger's order.
func (c *Campaign) floodPay(s *stranger, id string) {
	a, err := s.call(http.MethodPost, api.OrderPayPath(id), api.PayRequest{TradeTypes: []api.TradeType{api.TradeNative}}, &api.Checkout{})
	switch {
	case errors.Is(err, ErrNoResponse):
	case err == nil && a.status == http.StatusOK:
		c.count("flood: payment requested")
	case err == nil && (a.Code == api.CodeBusy || a.Code == api.CodeWeChatBusy || a.Code == api.CodeInternal || a.Code == api.CodeWeChatDeclined):
	case err == nil && (a.Code == api.CodeOrderNotPayable || a.Code == api.CodeNotSelling): // the operator closes a product's orders
	default:
		c.Note(Wrong, "", "the payment of a stranger's order %s: status %d %.200s, %v", id, a.status, a.body, err)
	}
}

// by returns the stranger who sent a client_key, nil if none did.
func (f *flooding) by(key string) *stranger {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.keys[key]
}

// floodCancel cancels a stranger's newest order.
func (c *Campaign) floodCancel(s *stranger) {
	id := s.open[len(s.open)-1]
	a, err := s.call(http.MethodPost, api.OrderClosePath(id), api.CloseRequest{}, &api.Order{})
	switch {
	case errors.Is(err, ErrNoResponse):
	case err == nil && a.status == http.StatusOK:
		s.open = s.open[:len(s.open)-1]
		c.count("flood: order cancelled")
	case err == nil && (a.Code == api.CodeBusy || a.Code == api.CodeWeChatBusy || a.Code == api.CodeInternal):
	default:
		c.Note(Wrong, "", "cancelling a stranger's order %s: status %d %.200s, %v", id, a.status, a.body, err)
	}
}

// checkBounds checks that no guest, no network and not all guests together have more open orders
// than UNPAID_LIMITS. It also checks the stored count of all.
func (c *Campaign) checkBounds() {
	rows, err := read[struct{ Guest, Network, Guests, Counted int }](c.World, `SELECT
		COALESCE((SELECT MAX(n) FROM (SELECT COUNT(*) AS n FROM orders WHERE guest = 1 AND status = 'open' GROUP BY owner)), 0) AS guest,
		COALESCE((SELECT MAX(n) FROM (SELECT COUNT(*) AS n FROM orders WHERE guest = 1 AND status = 'open' GROUP BY network)), 0) AS network,
		(SELECT COUNT(*) FROM orders WHERE guest = 1 AND status = 'open') AS guests,
		(SELECT n FROM guests_open) AS counted`)
	if err != nil || len(rows) != 1 {
		c.Note(Wrong, "", "reading the open orders of guests: %v, %v", rows, err)
		return
	}
	is, most := rows[0], c.Bounds
	if is.Guest > most.Guest || is.Network > most.NetworkGuests || is.Guests > most.Guests || is.Counted != is.Guests {
		c.Note(Wrong, "", "open orders of guests: %+v, want at most %+v", is, most)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mostOpen = max(c.mostOpen, is.Network)
}

// checkFlood checks the strangers' orders at the end. None was paid, each was requested, and no
// address created more per hour than its limit. It returns all other orders.
func (c *Campaign) checkFlood(all []paytest.Order) (rest []paytest.Order) {
	type hour struct {
		ip string
		n  int64
	}
	made, byKey := map[hour]int{}, map[string]string{}
	for _, o := range all {
		s := c.floods.by(o.Key)
		if s == nil {
			rest = append(rest, o)
			continue
		}
		if other := byKey[o.Key]; other != "" {
			c.Note(Doubled, o.ID, "client_key %s of a stranger has two orders", o.Key)
		}
		byKey[o.Key] = o.ID
		if !order.IsGuest(o.Owner) || order.WasPaid(o.Status) {
			c.Note(Wrong, o.ID, "an order of a stranger is %s and belongs to %s", o.Status, paytest.Truncate(o.Owner))
		}
		h := hour{s.ip, o.Created / time.Hour.Milliseconds()}
		if made[h]++; made[h] == c.Bounds.NetworkGuests+1 {
			c.Note(Wrong, o.ID, "the guests at %s created more than %d unpaid orders in an hour", h.ip, c.Bounds.NetworkGuests)
		}
	}
	for key, id := range c.floods.confirmed {
		if byKey[key] != id {
			c.Note(Lost, "", "a stranger received order %s, which is not stored", id)
		}
	}
	return rest
}
