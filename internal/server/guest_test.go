package server_test

import (
	"net/http"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/paytest"
)

func TestGuestStaysWhoTheyAre(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewPerson(0)
	p.Fails(api.CodeUnauthenticated, "GET", api.PathSession, nil)
	var who api.Session
	p.Must("POST", api.PathSession, struct{}{}, &who)
	cookie := p.Cookies["__Host-h5pay_session"]
	p.Must("POST", api.PathSession, nil, &who)
	if p.Cookies["__Host-h5pay_session"] != cookie {
		t.Error("a second call changed the guest")
	}
	p.Must("GET", api.PathSession, nil, &who)
	if !who.User.Guest || who.User.OpenID != "" {
		t.Errorf("%+v", who)
	}
	if other := s.NewGuest(0); other.Cookies["__Host-h5pay_session"] == cookie {
		t.Error("two browsers are one guest")
	}
	p.Call("DELETE", api.PathSession, nil)
	p.Fails(api.CodeUnauthenticated, "GET", api.PathSession, nil)
}

func TestSignInReplacesTheGuest(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewGuest(0)
	var c api.Checkout
	p.Checkout(paytest.BasketForCode("tea", 1), &c)
	code, state := p.Authorize("/", "")
	var signedIn api.TokenResponse
	p.Must("POST", api.PathToken, api.TokenRequest{Code: code, State: state}, &signedIn)
	var who api.Session
	p.Must("POST", api.PathSession, nil, &who)
	if who.User != signedIn.User || who.User.Guest || who.User.OpenID == "" {
		t.Errorf("who signed in as %+v is %+v", signedIn.User, who.User)
	}
	p.Fails(api.CodeNotFound, "GET", api.OrderPath(c.Order.ID), nil)
}

func TestGuestIsKnownFor90DaysAfterTheirLastOrder(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewGuest(0)
	s.Sim.Advance(60 * 24 * time.Hour)
	var c api.Checkout
	p.Checkout(paytest.BasketForCode("tea", 1), &c)
	s.Sim.Advance(90*24*time.Hour - time.Minute)
	if o := p.GetOrder(c.Order.ID); o.ID != c.Order.ID {
		t.Errorf("%+v", o)
	}
	s.Sim.Advance(time.Minute)
	p.Fails(api.CodeUnauthenticated, "GET", api.OrderPath(c.Order.ID), nil)
}

func TestGuestCannotPayInsideWeChat(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewGuest(0)
	o := p.Place(paytest.Basket("tea", 1))
	wantUnharmed(p, func() {
		p.Fails(api.CodeUnauthenticated, "POST", api.OrderPayPath(o.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}})
	})
}

func TestGuestsSeeTheirOwnOrdersOnly(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	alice, user := s.NewGuest(0), s.SignedIn(1)
	var hers, his api.Checkout
	alice.Checkout(paytest.BasketForCode("tea", 1), &hers)
	user.Checkout(paytest.BasketForCode("tea", 1), &his)
	bob := s.NewGuest(2)
	for _, thief := range []struct {
		*paytest.Person
		id string
	}{{bob, hers.Order.ID}, {bob, his.Order.ID}, {alice, his.Order.ID}, {user, hers.Order.ID}} {
		wantUnharmed(thief.Person, func() {
			thief.Fails(api.CodeNotFound, "GET", api.OrderPath(thief.id), nil)
			thief.Fails(api.CodeNotFound, "POST", api.OrderPayPath(thief.id), api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}})
		})
	}
	var list api.OrderList
	bob.Must("GET", api.PathOrders, nil, &list)
	if len(list.Orders) != 0 {
		t.Errorf("bob's list: %+v", list)
	}
	alice.Must("GET", api.PathOrders, nil, &list)
	if len(list.Orders) != 1 || list.Orders[0].ID != hers.Order.ID {
		t.Errorf("alice's list: %+v", list)
	}
}

// A guest's id would let others see the guest's orders. It leaves the signer only inside the
// encrypted cookie.
func TestGuestIDStaysSealed(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewGuest(0)
	var o api.Order
	a := p.Send(p.Request(http.MethodPost, api.PathOrders, encode(t, paytest.BasketForCode("tea", 1))))
	decode(t, a.Body, &o)
	var owner string
	if err := s.DB.QueryRow(`SELECT owner FROM orders`).Scan(&owner); err != nil || !order.IsGuest(owner) || len(owner) != len("guest:")+26 {
		t.Errorf("owner %q, %v", owner, err)
	}
	wantHidden(p, owner, a)
	wantHidden(p, owner, p.Call("GET", api.OrderPath(o.ID), nil))
	wantHidden(p, owner, p.Call("POST", api.OrderPayPath(o.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeNative}}))
	wantHidden(p, owner, p.Call("GET", api.PathSession, nil))
}
