package main

import (
	"net/http"
	"strings"

	"h5pay/internal/api"
	"h5pay/internal/order"
)

// replay has one of the newest events sent once more.
func (c *campaign) replay(n int) {
	var list api.EventList
	if _, ok := c.operator.must(http.MethodGet, api.PathAdminEvents, nil, &list); !ok || n >= len(list.Events) {
		return
	}
	path := api.PathAdminEvents + "/" + list.Events[n].ID + "/replay"
	if _, ok := c.operator.must(http.MethodPost, path, struct{}{}, &api.Event{}); ok {
		c.count("event replayed")
	}
}

// checkOperator checks that the operator is shown what is so.
func (c *campaign) checkOperator() {
	var health api.Health
	if _, ok := c.operator.must(http.MethodGet, api.PathHealth, nil, &health); !ok || !health.OK {
		c.note(wrong, "", "the shop is well, its health page says %+v", health)
	}
	var counters api.Counters
	if _, ok := c.operator.must(http.MethodGet, api.PathAdminCounter, nil, &counters); !ok {
		return
	}
	all, err := read[stored](c.world, everyOrder)
	if err != nil {
		c.note(wrong, "", "%v", err)
	}
	refunds, err := read[storedRefund](c.world, everyRefund)
	if err != nil {
		c.note(wrong, "", "%v", err)
	}
	want := map[string]int64{"orders.created": int64(len(all)), "refunds.created": int64(len(refunds))}
	for _, o := range all {
		if order.WasPaid(o.Status) {
			want["settled"]++
		}
		want["orders.closed"] += int64(strings.Count(o.Steps, string(api.StatusClosed)))
	}
	got := map[string]int64{}
	for name, n := range counters.Counters {
		if strings.HasPrefix(name, "settled.") {
			name = "settled"
		}
		got[name] += n
	}
	for name, n := range want {
		if got[name] != n {
			c.note(wrong, "", "counter %s is at %d, it was %d times", name, got[name], n)
		}
	}
}
