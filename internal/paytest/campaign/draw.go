package campaign

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/wechat/wechattest"
)

// drawer draws the parts of a plan.
type drawer struct {
	*rand.Rand
	Options
	purchases []purchase // of the plan, once they are drawn
}

// twice reports whether the buyer of a purchase pays in two places.
func (d drawer) twice(n int) bool { return len(d.purchases[n].tradeTypes) > 1 }

// chance returns true with probability p.
func (d drawer) chance(p float64) bool { return d.Float64() < p }

// pick returns one of several values.
func pick[T any](d drawer, all ...T) T { return all[d.IntN(len(all))] }

// products are those of the demo catalogue. The buyer enters the amount of a tip.
var products = []string{"tea", "coffee", "cake", "bun", "juice", "test", "tip"}

func (d drawer) purchase(n int) purchase {
	p := purchase{person: d.IntN(people), payer: d.IntN(people), tradeTypes: []api.TradeType{api.TradeJSAPI}, key: fmt.Sprintf("chaos-%d-%08d", d.Seed, n)}
	if d.chance(0.45) {
		p.tradeTypes[0] = pick(d, api.TradeNative, api.TradeMWEB)
		if d.chance(0.7) {
			p.person = people + d.IntN(guests)
		}
	}
	if !d.Calm && d.chance(0.35) {
		p.tradeTypes = append(p.tradeTypes, d.otherPlace(p))
	}
	for _, i := range d.Perm(len(products))[:1+d.IntN(3)] {
		item := api.OrderItem{ProductID: products[i], Quantity: 1 + d.IntN(3)}
		if item.ProductID == "tip" {
			item.Quantity, item.Amount = 1, fen.Fen(1+d.IntN(500_000))
		}
		p.items = append(p.items, item)
	}
	return p
}

// otherPlace draws the trade type of another place in which a buyer can pay. A guest has no openid,
// which JSAPI needs.
func (d drawer) otherPlace(p purchase) api.TradeType {
	others := slices.DeleteFunc([]api.TradeType{api.TradeJSAPI, api.TradeNative, api.TradeMWEB}, func(t api.TradeType) bool {
		return t == p.tradeTypes[0] || t == api.TradeJSAPI && p.person >= people
	})
	return pick(d, others...)
}

// round draws the visits of one round: new orders, returns to older orders, and the cron trigger.
func (d drawer) round(first, n int) round {
	var r round
	for i := range n {
		r.visits = append(r.visits, visit{order: first + i, steps: d.firstVisit(first + i)})
	}
	if d.Calm {
		return r
	}
	for _, i := range d.Perm(first)[:min(first, n/2)] {
		r.visits = append(r.visits, visit{order: i, steps: d.laterVisit(i)})
	}
	for range 1 + n/10 {
		r.visits = append(r.visits, visit{order: -1, steps: []step{d.step(doCron)}}, visit{order: -1, steps: []step{d.step(pick(d, doDeliver, doWake))}})
	}
	for i := range d.bursts() {
		s := d.step(doFlood)
		s.flood = flood{stranger: i % len(strangers), fresh: i%len(strangers) == 0 && d.chance(0.3), cancels: d.chance(0.5), orders: 3 + d.IntN(6)}
		r.visits = append(r.visits, visit{order: -1, steps: []step{s}})
	}
	for i := range 2 + n/5 {
		s := d.step(doAPI)
		s.other = first + i // an order comes again if the rounds are small
		r.visits = append(r.visits, visit{order: -1, steps: []step{s}})
	}
	if s := d.step(doReplay); d.chance(0.5) {
		s.other = d.IntN(20)
		r.visits = append(r.visits, visit{order: -1, steps: []step{s}})
	}
	d.Shuffle(len(r.visits), func(i, j int) { r.visits[i], r.visits[j] = r.visits[j], r.visits[i] })
	if (d.On == OnWorkerd || d.On == OnSQLite) && (first == 0 || d.chance(0.3)) { // PostgreSQL has no capacity of its own
		r.visits = d.full(r.visits)
	}
	r.leap = pick(d, leaps...)
	return r
}

// bursts returns the number of bursts of the strangers in a round.
func (d drawer) bursts() int {
	if d.inProcess() {
		return 1
	}
	return 8 * len(strangers)
}

// full fills the database for about a third of a round. Buyers with older orders pay, cancel and
// read meanwhile.
func (d drawer) full(visits []visit) []visit {
	from := len(visits)/5 + d.IntN(1+len(visits)/5)
	to := len(visits)*3/5 + d.IntN(1+len(visits)/5)
	var later []visit
	for i := range visits[:from] {
		v := &visits[i]
		if v.order >= 0 && len(v.steps) > 1 {
			later = append(later, visit{order: v.order, steps: v.steps[1:]})
			v.steps = v.steps[:1:1]
		}
	}
	visits = slices.Insert(visits, (from+to)/2, later...)
	to += len(later)
	visits = slices.Insert(visits, to, visit{order: -1, steps: []step{{do: doDrain}}})
	return slices.Insert(visits, from, visit{order: -1, steps: []step{{do: doFill}}})
}

// firstVisit draws a visit of a buyer who orders and usually pays.
func (d drawer) firstVisit(n int) []step {
	if d.Calm {
		return []step{{do: doOrder}, {do: doOpen}, {do: doConfirm}, {do: doPoll}}
	}
	steps := []step{d.step(doOrder)}
	if d.chance(0.15) {
		steps[0] = d.step(doDouble)
	}
	if d.chance(0.15) {
		steps[0] = d.step(doCreate)
	}
	steps = append(steps, d.strangerSteps(n)...)
	if d.chance(0.85) {
		steps = append(steps, d.passing()...)
		steps = append(steps, d.step(doOpen))
		if d.twice(n) && d.chance(0.7) {
			steps = append(steps, d.step(doElsewhere))
		}
		switch {
		case d.twice(n) && d.chance(0.6):
			steps = append(steps, d.step(doConfirmAll))
		case d.chance(0.7):
			steps = append(steps, d.step(doConfirm))
		case d.chance(0.4):
			steps = append(steps, d.step(doDismiss))
		}
	}
	if d.chance(0.1) {
		steps = append(steps, d.step(doClose))
	}
	steps = append(steps, d.passing()...)
	if d.chance(0.1) {
		steps = append(steps, d.crowd())
	}
	return append(steps, d.readingSteps(n)...)
}

// laterVisit draws a visit of a buyer who returns to an order, whatever its status is.
func (d drawer) laterVisit(n int) []step {
	steps := d.readingSteps(n)
	if d.chance(0.4) {
		steps = append(steps, d.step(pick(d, doOrder, doDouble, doCreate, doRenew, doRenew)))
	}
	if d.chance(0.5) {
		steps = append(steps, d.step(doOpen))
	}
	if d.chance(0.2) {
		s := d.step(doEarlier)
		s.other = d.IntN(20)
		steps = append(steps, s)
	}
	if d.chance(0.2) {
		steps = append(steps, d.crowd())
	}
	if d.twice(n) && d.chance(0.5) {
		steps = append(steps, d.step(doElsewhere))
	}
	if d.chance(0.2) {
		steps = append(steps, d.step(doClose))
	}
	switch {
	case d.twice(n) && d.chance(0.5):
		steps = append(steps, d.step(doConfirmAll))
	case d.chance(0.6):
		steps = append(steps, d.step(doConfirm))
	}
	steps = append(steps, d.passing()...)
	return append(steps, d.readingSteps(n)...)
}

// crowd draws steps about one order that are made at once.
func (d drawer) crowd() step {
	s := step{do: doTogether}
	for range 3 + d.IntN(4) {
		one := d.step(pick(d, doCreate, doRenew, doRenew, doElsewhere, doPoll, doPoll, doClose, doConfirm, doConfirmAll, doRenotify, doForge, doCron))
		if one.do == doForge {
			one.forge = pick(d, d.forges(wechattest.Forgeries(), wechattest.V3Forgeries())...)
		}
		s.together = append(s.together, one)
	}
	return s
}

// passing draws time that passes within a visit.
func (d drawer) passing() []step {
	if !d.inProcess() || d.AtOnce > 1 || !d.chance(0.3) {
		return nil
	}
	return []step{{do: doPass, pass: time.Duration(d.Int64N(int64(pick(d, 5*time.Second, 10*time.Minute, 3*time.Hour))))}}
}

// readingSteps draws steps that only read.
func (d drawer) readingSteps(n int) []step {
	var steps []step
	for range d.IntN(3) {
		steps = append(steps, d.step(doPoll))
	}
	if d.chance(0.1) {
		steps = append(steps, d.step(doRenew))
	}
	if d.chance(0.1) {
		steps = append(steps, d.step(doList))
	}
	return append(steps, d.strangerSteps(n)...)
}

// strangerSteps draws steps of strangers, and WeChat's uncertain responses.
func (d drawer) strangerSteps(n int) []step {
	var steps []step
	if d.chance(0.25) {
		s := d.step(doForge)
		s.forge = pick(d, d.forges(wechattest.Forgeries(), wechattest.V3Forgeries())...)
		steps = append(steps, s)
	}
	if d.chance(0.1) {
		steps = append(steps, d.step(doRenotify))
	}
	if d.chance(0.2) {
		steps = append(steps, d.refund(n)...)
	}
	if n > 0 && d.chance(0.05) {
		s := d.step(doReadOther)
		s.other = d.IntN(n)
		steps = append(steps, s)
	}
	return steps
}

// refund draws a refund, usually with a key of its own.
func (d drawer) refund(n int) []step {
	s := d.step(doRefund)
	if d.chance(0.15) {
		s = d.step(doByHand)
	}
	s.refund = refund{key: fmt.Sprintf("chaos-%d-%08d-%d", d.Seed, n, d.IntN(20)), percent: pick(d, 100, 100, 1+d.IntN(100))}
	steps := []step{s}
	if s.do == doRefund && d.chance(0.2) { // several refunds at once
		all := step{do: doTogether}
		for range 2 + d.IntN(2) {
			one := d.step(doRefund)
			one.refund = refund{key: fmt.Sprintf("chaos-%d-%08d-%d", d.Seed, n, d.IntN(20)), percent: pick(d, 100, 1+d.IntN(100))}
			all.together = append(all.together, one)
		}
		steps = append(steps, all)
	}
	if d.chance(0.4) {
		s := d.step(doForgeRefund)
		s.forge = pick(d, d.forges(wechattest.RefundForgeries(), wechattest.V3RefundForgeries())...)
		steps = append(steps, s)
	}
	return steps
}

// forges returns the forgeries of notifications that the campaign makes.
func (d drawer) forges(both, v3 []string) []string {
	if d.API == "v2" {
		return both
	}
	return slices.Concat(both, v3)
}
