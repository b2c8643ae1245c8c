package campaign

import (
	"time"

	"h5pay/wechat/wechattest"
)

// step draws the failures of an action.
func (d drawer) step(do action) step {
	s := step{do: do}
	if d.chance(0.3) {
		if f, ok := d.fault(do); ok {
			s.faults = append(s.faults, f)
		}
	}
	if kinds := d.breaks(); len(kinds) > 0 && do != doOpen && do != doDismiss && d.chance(0.08) {
		s.failures = append(s.failures, d.failure(pick(d, kinds...)))
	}
	return s
}

// breaks returns the failures that steps have where the campaign runs, beside kills and crashes.
func (d drawer) breaks() []Kind {
	switch d.On {
	case OnShop: // nothing is between the signer and what it calls
		return nil
	case OnNodes:
		return []Kind{Cut}
	}
	return []Kind{Cut, Cut, Fail, Slow, Slow, Slow}
}

// fault draws a fault of WeChat's for an action.
func (d drawer) fault(do action) (wechattest.Fault, bool) {
	delay := func(of ...time.Duration) int64 { return pick(d, of...).Milliseconds() }
	call := func(paths ...string) wechattest.Fault {
		f := wechattest.Fault{Path: pick(d, paths...), Kind: pick(d, wechattest.FaultSystemError, wechattest.FaultSystemError, wechattest.FaultBadGateway,
			wechattest.FaultBadReplySign, wechattest.FaultNoReplySign)}
		if f.Path != "/pay/unifiedorder" && d.chance(0.15) { // there the buyer would get an error about the shop's configuration
			f.Kind = pick(d, wechattest.FaultRetmsg, wechattest.FaultTextWithoutCode)
		}
		if d.API != "v2" && d.chance(0.4) {
			f.Kind = pick(d, wechattest.FaultV3Probe, wechattest.FaultV3ClockAhead, wechattest.FaultV3ClockBehind, wechattest.FaultV3OldCodes,
				wechattest.FaultV3EmptyBody, wechattest.FaultV3Accepted, wechattest.FaultV3Unsigned, wechattest.FaultV3TooMany)
		}
		if d.chance(0.05) { // each delays a call by seconds
			f.Kind = pick(d, wechattest.FaultTimeoutBefore, wechattest.FaultTimeoutAfter)
		}
		return f
	}
	switch do {
	case doOrder, doDouble, doRenew, doElsewhere, doAPI:
		return call("/pay/unifiedorder"), true
	case doPoll:
		if d.chance(0.3) {
			return wechattest.Fault{Kind: wechattest.FaultQueryLate, DelayMS: delay(3*time.Second, 30*time.Second)}, true
		}
		if d.chance(0.2) {
			return wechattest.Fault{Kind: wechattest.FaultForgedReply}, true
		}
		return call("/pay/orderquery"), true
	case doClose:
		return call("/pay/orderquery", "/pay/closeorder"), true
	case doCron:
		return call("/pay/orderquery", "/pay/closeorder", "/pay/refundquery"), true
	case doRefund, doByHand:
		switch kind := pick(d, "", "", wechattest.FaultNotEnough, wechattest.FaultUnsettledShort, wechattest.FaultRefundClosed, wechattest.FaultRefundChange, wechattest.FaultRefundSlow); kind {
		case "":
			return call("/secapi/pay/refund", "/pay/refundquery"), true
		case wechattest.FaultRefundSlow:
			return wechattest.Fault{Kind: kind, DelayMS: delay(time.Minute, 5*time.Hour)}, true
		default:
			return wechattest.Fault{Kind: kind}, true
		}
	case doConfirm, doConfirmAll:
		if d.API != "v2" && d.chance(0.3) {
			if d.chance(0.2) {
				return wechattest.Fault{Kind: wechattest.FaultV3NoAssociated}, true
			}
			return wechattest.Fault{Path: wechattest.V3Callback, Kind: pick(d, wechattest.FaultV3Probe, wechattest.FaultV3ClockAhead,
				wechattest.FaultV3ClockBehind, wechattest.FaultV3WrongSerial)}, true
		}
		switch kind := pick(d, wechattest.FaultNotifyLost, wechattest.FaultNotifyLost, wechattest.FaultNotifyDropped, wechattest.FaultNotifyDoubled, wechattest.FaultNotifyAgain, wechattest.FaultCoupons,
			wechattest.FaultNotifyDelayed, wechattest.FaultNotifyReordered, wechattest.FaultNotifyMD5, wechattest.FaultSheetFail,
			wechattest.FaultPaidAsCancel); kind {
		case wechattest.FaultNotifyDelayed:
			return wechattest.Fault{Kind: kind, DelayMS: delay(2*time.Second, 10*time.Minute, 26*time.Hour)}, true
		default:
			return wechattest.Fault{Kind: kind}, true
		}
	}
	return wechattest.Fault{}, false
}

// failure draws where a failure of a kind happens: at one of the signer's next calls.
func (d drawer) failure(kind Kind) Failure {
	m := Failure{Kind: kind, Site: pick(d, AtDatabase, AtDatabase, AtDatabase, AtWeChat, AtWeChat, AtBackend), Nth: 1 + d.IntN(6), Done: d.chance(0.5)}
	if kind == Slow {
		m.Wait = time.Duration(20+d.IntN(400)) * time.Millisecond
	}
	if kind == Restart {
		m.Site = AtDatabase
	}
	if kind == Fail {
		m.Site = pick(d, AtDatabase, AtBackend) // WeChat has faults of its own
	}
	if d.On == OnNodes { // every statement goes through the campaign
		m.Site = AtDatabase
	}
	if d.On == OnSQLite && m.Site == AtDatabase { // nothing is between a node and its file
		m.Site = AtBackend
		if kind == Kill {
			m.Site, m.Nth, m.Wait = AtSigner, 1, time.Duration(d.IntN(25000))*time.Microsecond
		}
	}
	return m
}

// placeKills distributes the kills of machines and of the database, and the freezes, over the steps that make the signer work.
func (d drawer) placeKills(rounds []round) {
	if d.Calm || d.On == OnShop {
		return
	}
	var busy []*step
	for _, r := range rounds {
		for _, v := range r.visits {
			for i := range v.steps {
				switch v.steps[i].do {
				case doOrder, doDouble, doRenew, doElsewhere, doAPI, doConfirm, doConfirmAll, doClose, doPoll, doRenotify, doRefund, doCron, doDeliver, doWake, doTogether:
					busy = append(busy, &v.steps[i])
				}
			}
		}
	}
	d.Shuffle(len(busy), func(i, j int) { busy[i], busy[j] = busy[j], busy[i] })
	if d.On == OnNodes { // which die and start in a millisecond
		for _, s := range busy[:len(busy)/3] {
			s.failures = append(s.failures, d.failure(pick(d, Kill, Kill, Restart)))
		}
		return
	}
	for i, s := range busy[:min(len(busy), 5+d.Orders/50)] {
		m := d.failure(Kill)
		if call := moments[i/2%len(moments)]; i%2 == 0 && (d.On != OnSQLite || siteOf(call) != AtDatabase) {
			m.Call, m.Wait = call, 0
			m.Site, m.Nth = siteOf(m.Call), 1+d.IntN(2)
		}
		s.failures = append(s.failures, m)
	}
	if d.On == OnSQLite {
		return
	}
	for i := range 2 + d.Orders/100 {
		m := d.failure(Restart)
		if i%2 == 0 {
			m.Call = databaseMoments[i/2%len(databaseMoments)]
		}
		s := busy[d.IntN(len(busy))]
		s.failures = append(s.failures, m)
	}
	if d.On != OnPostgres {
		return
	}
	for i := range 4 + d.Orders/50 {
		m := d.failure(Freeze)
		if m.Wait = 0; d.chance(0.5) {
			m.Wait = time.Duration(500+d.IntN(4000)) * time.Millisecond
		}
		if i%2 == 0 {
			m.Call = moments[i/2%len(moments)]
			m.Site, m.Nth = siteOf(m.Call), 1
		}
		s := busy[d.IntN(len(busy))]
		s.failures = append(s.failures, m)
	}
}

// databaseMoments are the calls at which a crash of the database is most dangerous.
var databaseMoments = []string{"UPDATE payments to paid", "INSERT orders", "UPDATE deliveries", "UPDATE payments to pending", "INSERT payments", "INSERT refunds", "UPDATE orders"}

// moments are the calls at which a kill of a machine is most dangerous. Half of the kills wait for
// one of these, the others for any call.
var moments = []string{"UPDATE payments to paid", "/pay/unifiedorder", "UPDATE payments to pending", "UPDATE payments to closed", "/pay/orderquery", "UPDATE orders",
	"INSERT orders", "INSERT payments", "UPDATE deliveries", "/secapi/pay/refund", "INSERT refunds", "/pay/closeorder", "/webhook", "UPDATE refunds to processing",
	"UPDATE refunds to succeeded"}
