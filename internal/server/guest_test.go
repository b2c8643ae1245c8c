package server_test

import (
	"net/http"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
)

// guest returns a browser outside WeChat that is known by a cookie alone. The
// i-th user holds the phone with which its orders are paid.
func (s *shop) guest(i int) *person {
	s.t.Helper()
	p := s.person(i)
	var who api.Session
	p.must("POST", api.PathSession, nil, &who)
	if who.User != (api.User{Guest: true}) {
		s.t.Errorf("a guest is shown as %+v", who.User)
	}
	p.guest = true
	return p
}

// native is basket for a QR code.
func native(product string, quantity int) api.CreateOrderRequest {
	req := basket(product, quantity)
	req.TradeType = api.TradeNative
	return req
}

// mweb is basket for a phone's browser.
func mweb(product string, quantity int) api.CreateOrderRequest {
	req := basket(product, quantity)
	req.TradeType = api.TradeMWEB
	return req
}

func TestGuestStaysWhoTheyAre(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.person(0)
	p.fails(api.CodeUnauthenticated, "GET", api.PathSession, nil)
	var who api.Session
	p.must("POST", api.PathSession, struct{}{}, &who)
	cookie := p.cookies["__Host-h5pay_session"]
	p.must("POST", api.PathSession, nil, &who)
	if p.cookies["__Host-h5pay_session"] != cookie {
		t.Error("asking again changed the guest")
	}
	p.must("GET", api.PathSession, nil, &who)
	if !who.User.Guest || who.User.OpenID != "" {
		t.Errorf("%+v", who)
	}
	if other := s.guest(0); other.cookies["__Host-h5pay_session"] == cookie {
		t.Error("two browsers are one guest")
	}
	p.call("DELETE", api.PathSession, nil)
	p.fails(api.CodeUnauthenticated, "GET", api.PathSession, nil)
}

func TestSignInReplacesTheGuest(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.guest(0)
	var c api.Checkout
	p.checkout(native("tea", 1), &c)
	code, state := p.authorize("/", "")
	var signedIn api.TokenResponse
	p.must("POST", api.PathToken, api.TokenRequest{Code: code, State: state}, &signedIn)
	var who api.Session
	p.must("POST", api.PathSession, nil, &who)
	if who.User != signedIn.User || who.User.Guest || who.User.OpenID == "" {
		t.Errorf("who signed in as %+v is %+v", signedIn.User, who.User)
	}
	p.fails(api.CodeNotFound, "GET", api.OrderPath(c.Order.ID), nil)
}

func TestGuestIsKnownFor90DaysAfterTheirLastOrder(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.guest(0)
	s.sim.Advance(60 * 24 * time.Hour)
	var c api.Checkout
	p.checkout(native("tea", 1), &c)
	s.sim.Advance(90*24*time.Hour - time.Minute)
	if o := p.get(c.Order.ID); o.ID != c.Order.ID {
		t.Errorf("%+v", o)
	}
	s.sim.Advance(time.Minute)
	p.fails(api.CodeUnauthenticated, "GET", api.OrderPath(c.Order.ID), nil)
}

func TestGuestCannotPayInsideWeChat(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.guest(0)
	p.unharmed(func() { p.fails(api.CodeUnauthenticated, "POST", api.PathOrders, basket("tea", 1)) })
}

func TestGuestsSeeTheirOwnOrdersOnly(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	alice, user := s.guest(0), s.signedIn(1)
	var hers, his api.Checkout
	alice.checkout(native("tea", 1), &hers)
	user.checkout(native("tea", 1), &his)
	bob := s.guest(2)
	for _, thief := range []struct {
		*person
		id string
	}{{bob, hers.Order.ID}, {bob, his.Order.ID}, {alice, his.Order.ID}, {user, hers.Order.ID}} {
		thief.unharmed(func() {
			thief.fails(api.CodeNotFound, "GET", api.OrderPath(thief.id), nil)
			thief.fails(api.CodeNotFound, "POST", api.OrderPayPath(thief.id), struct{}{})
		})
	}
	var list api.OrderList
	bob.must("GET", api.PathOrders, nil, &list)
	if len(list.Orders) != 0 {
		t.Errorf("bob's list: %+v", list)
	}
	alice.must("GET", api.PathOrders, nil, &list)
	if len(list.Orders) != 1 || list.Orders[0].ID != hers.Order.ID {
		t.Errorf("alice's list: %+v", list)
	}
}

// What one guest learned of an order must not let another in: the id of a guest
// leaves the signer inside the sealed cookie alone.
func TestGuestIDStaysSealed(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.guest(0)
	var o api.Order
	a := p.send(p.request(http.MethodPost, api.PathOrders, encode(t, native("tea", 1))))
	decode(t, a.body, &o)
	var owner string
	if err := s.db.QueryRow(`SELECT owner FROM orders`).Scan(&owner); err != nil || !order.IsGuest(owner) || len(owner) != len("guest:")+26 {
		t.Errorf("owner %q, %v", owner, err)
	}
	p.holds(owner, a)
	p.holds(owner, p.call("GET", api.OrderPath(o.ID), nil))
	p.holds(owner, p.call("POST", api.OrderPayPath(o.ID), struct{}{}))
	p.holds(owner, p.call("GET", api.PathSession, nil))
}
