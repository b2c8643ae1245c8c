package campaign

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"

	"h5pay/internal/api"
	"h5pay/internal/v1"
	"h5pay/webhook"
)

// hook is an endpoint that the merchant made by API, with its receiver.
type hook struct {
	*Backend
	name  string
	id    string
	types []api.EventType // none: all
	down  atomic.Bool     // it answers 503
	gone  atomic.Bool     // it answers 410 once
}

func (h *hook) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	switch {
	case h.down.Load():
		h.count("endpoint " + h.name + ": delivery while it was down")
		rw.WriteHeader(http.StatusServiceUnavailable)
	case h.gone.Load(): // more than once: the signer may die before it has stored the answer
		h.count("endpoint " + h.name + ": answered 410")
		rw.WriteHeader(http.StatusGone)
	default:
		h.Backend.ServeHTTP(rw, r)
	}
}

// makeEndpoints makes two endpoints beside that of the settings: one for the events about payments
// and refunds, and one for all.
func (c *Campaign) makeEndpoints() error {
	for _, h := range []*hook{
		{name: "money", types: []api.EventType{api.EventOrderPaid, api.EventOrderRefunded, api.EventPaymentDuplicate}},
		{name: "all"},
	} {
		h.Backend = NewBackend(c.World, c.World.Backend.receiver)
		url, err := c.Receive("/"+h.name, h)
		if err != nil {
			return err
		}
		var made v1.Endpoint
		req := v1.CreateEndpoint{URL: url, Types: h.types}
		if status, rejected := c.callV1(http.MethodPost, "/v1/endpoints", "endpoint-"+h.name, req, &made); status != http.StatusCreated {
			return fmt.Errorf("making an endpoint: status %d, %+v", status, rejected)
		}
		c.Secret("the secret of an endpoint", made.Secret)
		h.id, h.receiver.Secrets = made.ID, []string{made.Secret}
		c.integration.hooks = append(c.integration.hooks, h)
	}
	return nil
}

// changeEndpoints decides what the endpoints do in a round. One endpoint is down in every third
// round. The other answers 410 in every fourth, and the operator opens it again in the next.
func (c *Campaign) changeEndpoints(round int) {
	if c.Calm {
		return
	}
	money, all := c.integration.hooks[0], c.integration.hooks[1]
	money.down.Store(round%3 == 0)
	switch round % 4 {
	case 0:
		all.gone.Store(true)
	case 1:
		all.gone.Store(false)
		c.openEndpoint(all)
	}
}

// openEndpoints ends what changeEndpoints did. Afterwards every event arrives.
func (c *Campaign) openEndpoints(context.Context) {
	for _, h := range c.integration.hooks {
		h.down.Store(false)
		h.gone.Store(false)
		c.openEndpoint(h)
	}
}

// openEndpoint enables an endpoint and replays what is dead there.
func (c *Campaign) openEndpoint(h *hook) {
	yes := true
	if status, rejected := c.callV1(http.MethodPatch, "/v1/endpoints/"+h.id, "", v1.ChangeEndpoint{Enabled: &yes}, &v1.Endpoint{}); status != http.StatusOK && status != 0 {
		c.Note(Wrong, "", "enabling endpoint %s: status %d, %+v", h.name, status, rejected)
	}
	req := v1.ReplayEvents{From: 1, Status: string(api.EventDead), Endpoint: h.id}
	for more := true; more; {
		var replayed v1.Replayed
		if status, rejected := c.callV1(http.MethodPost, "/v1/events/replay", "", req, &replayed); status != http.StatusOK {
			if status != 0 {
				c.Note(Wrong, "", "replaying the dead events of endpoint %s: status %d, %+v", h.name, status, rejected)
			}
			return
		}
		c.countMany("endpoint "+h.name+": dead event replayed", replayed.Events)
		req.Cursor, more = replayed.Next, replayed.Next != ""
	}
}

// checkEndpoints checks that each endpoint received every event of its types, with the content that
// the endpoint of the settings received, and no other.
func (c *Campaign) checkEndpoints() {
	stored, err := read[struct {
		ID   string
		Type api.EventType
	}](c.World, `SELECT id, type FROM events`)
	if err != nil {
		c.Note(Wrong, "", "%v", err)
		return
	}
	for _, h := range c.integration.hooks {
		left := map[string]webhook.Event{}
		for id, e := range h.events {
			left[id] = e
		}
		for _, e := range stored {
			got, arrived := left[e.ID]
			delete(left, e.ID)
			switch wanted := len(h.types) == 0 || slices.Contains(h.types, e.Type); {
			case wanted && !arrived:
				c.Note(Lost, e.ID, "endpoint %s did not get the event", h.name)
			case !wanted && arrived:
				c.Note(Wrong, e.ID, "endpoint %s got an event of type %s", h.name, e.Type)
			case wanted && !same(got, c.World.Backend.events[e.ID]):
				c.Note(Wrong, e.ID, "endpoint %s got another content than that of the settings", h.name)
			}
		}
		for id := range left {
			c.Note(Wrong, id, "endpoint %s got an event that is not stored", h.name)
		}
		c.countMany("endpoint "+h.name+": delivery", h.received)
	}
}
