package wechattest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The kinds of Fault.
const (
	FaultNotifyLost      = "notify_lost"
	FaultNotifyDropped   = "notify_dropped"
	FaultNotifyDoubled   = "notify_doubled"
	FaultNotifyDelayed   = "notify_delayed"
	FaultNotifyReordered = "notify_reordered"
	FaultNotifyMD5       = "notify_md5"
	FaultNotifyAgain     = "notify_again"
	FaultCoupons         = "coupons"
	FaultRetmsg          = "retmsg"
	FaultTextWithoutCode = "text_without_code"
	FaultLandingCopied   = "landing_copied"
	FaultSystemError     = "system_error"
	FaultTimeoutBefore   = "timeout_before"
	FaultTimeoutAfter    = "timeout_after"
	FaultBadGateway      = "bad_gateway"
	FaultBadReplySign    = "bad_reply_sign"
	FaultNoReplySign     = "no_reply_sign"
	FaultCodeUsed        = "code_used"
	FaultCodeExpired     = "code_expired"
	FaultSnapshotUser    = "snapshot_user"
	FaultSheetFail       = "sheet_fail"
	FaultPaidAsCancel    = "paid_as_cancel"
	FaultQueryLate       = "query_late"
	FaultForgedReply     = "forged_reply"
	FaultReturnEarly     = "return_early"
	FaultNoBridge        = "no_bridge"
	FaultOddAnswer       = "odd_answer"
	FaultNotEnough       = "not_enough"
	FaultUnsettledShort  = "unsettled_short"
	FaultRefundClosed    = "refund_closed"
	FaultRefundChange    = "refund_change"
	FaultRefundSlow      = "refund_slow"
	FaultBillCreating    = "bill_creating"
	FaultBillRowLost     = "bill_row_lost"
	FaultBillRowChanged  = "bill_row_changed"
	FaultBillRowAdded    = "bill_row_added"
)

// Fault is a failure that WeChat makes at the next occasion. Faults wait in a queue. Each occasion
// uses up one count of the first fault that applies.
type Fault struct {
	Kind string `json:"kind"`
	// Count is how many occasions it affects. Default 1, at most 1000.
	Count int `json:"count,omitempty"`
	// Path limits a fault of calls to one path, such as /pay/unifiedorder, or to PathOrder. Default
	// any call that the fault can affect.
	Path string `json:"path,omitempty"`
	// DelayMS is for notify_delayed, query_late and refund_slow, in simulator milliseconds.
	DelayMS int64 `json:"delay_ms,omitempty"`
}

// PathOrder is the Path of a fault that affects the call that places an order, of either version and
// of every trade type.
const PathOrder = "order"

// placesOrder reports whether a path is that of a call that places an order.
func placesOrder(path string) bool {
	return slices.Contains([]string{pathUnifiedOrder, PathV3JSAPI, PathV3Native, PathV3H5, PathV3App}, path)
}

// FaultKind describes one kind of Fault.
type FaultKind struct {
	Kind  string   `json:"kind"`
	Text  string   `json:"text"`
	Paths []string `json:"paths,omitempty"` // the allowed values of Path; none if the kind has no path
	Delay bool     `json:"delay,omitempty"` // whether it needs DelayMS
}

// FaultKinds lists every kind of Fault.
func FaultKinds() []FaultKind {
	pay := []string{pathUnifiedOrder, pathOrderQuery, pathCloseOrder, pathRefund, pathRefundQuery}
	all := append(slices.Clone(pay), pathDownloadBill, pathAccessToken, pathRefreshToken, pathUserInfo, pathAuth)
	all = append(append(all, v3Paths()...), PathOrder)
	signed := append(append(slices.Clone(pay), v3Paths()...), PathOrder)
	kinds := append([]FaultKind{
		{Kind: FaultNotifyLost, Text: "the next notification is never sent, nor repeated (delivery is not guaranteed)"},
		{Kind: FaultNotifyDropped, Text: "one attempt is lost; the retries continue"},
		{Kind: FaultNotifyDoubled, Text: "one attempt arrives twice at the same time, as from two servers"},
		{Kind: FaultNotifyDelayed, Text: "the first attempt of the next notification is delayed by delay_ms", Delay: true},
		{Kind: FaultNotifyReordered, Text: "the next notification arrives after the one that follows it"},
		{Kind: FaultNotifyMD5, Text: "one attempt is signed with MD5 although the order was signed with HMAC-SHA256"},
		{Kind: FaultNotifyAgain, Text: "the next notification that is acknowledged is repeated 5 s later, twice at the same time"},
		{Kind: FaultCoupons, Text: "the next payment is made with up to three coupons, the second without coupon_type; cash_fee is less than total_fee"},
		{Kind: FaultRetmsg, Text: "a call is answered with retcode and retmsg, unsigned, without return_msg and sometimes without return_code, and has no effect", Paths: pay},
		{Kind: FaultTextWithoutCode, Text: "a call is declined with err_code_des and no err_code, signed, and has no effect", Paths: pay},
		{Kind: FaultLandingCopied, Text: "the next sign-in link leads to another user's return link, with that user's code and state"},
		{Kind: FaultSystemError, Text: "a call is answered SYSTEMERROR, or 500 SYSTEM_ERROR by APIv3, or errcode -1 by the sns hosts, and has no effect", Paths: all},
		{Kind: FaultTimeoutBefore, Text: "a call has no effect and is never answered", Paths: all},
		{Kind: FaultTimeoutAfter, Text: "a call takes effect and is never answered", Paths: all},
		{Kind: FaultBadGateway, Text: "a call is answered 502 with an HTML page and has no effect", Paths: all},
		{Kind: FaultBadReplySign, Text: "a response has a wrong sign; the call takes effect", Paths: signed},
		{Kind: FaultNoReplySign, Text: "a response has no sign; the call takes effect", Paths: signed},
		{Kind: FaultCodeUsed, Text: "the next code exchange answers 40163"},
		{Kind: FaultCodeExpired, Text: "the next code exchange answers 42003"},
		{Kind: FaultSnapshotUser, Text: "the next code exchange returns the virtual user of a snapshot page"},
		{Kind: FaultSheetFail, Text: "the next payment fails on the phone; nothing is paid"},
		{Kind: FaultPaidAsCancel, Text: "the next payment is made, but the page gets cancel"},
		{Kind: FaultQueryLate, Text: "one orderquery of an order that was paid within delay_ms still answers NOTPAY", Delay: true},
		{Kind: FaultForgedReply, Text: "the next orderquery of an unpaid order gets a forged response: paid, signed with another key"},
		{Kind: FaultReturnEarly, Text: "the next browser returns to the shop while the payment sheet is still open"},
		{Kind: FaultNoBridge, Text: "WeixinJSBridge never appears in the next page"},
		{Kind: FaultOddAnswer, Text: "the next payment is answered with an undocumented err_msg; nothing is paid"},
		{Kind: FaultNotEnough, Text: "the next refund is declined with NOTENOUGH, from any source, until money is paid in; a retry must have the same number and amounts"},
		{Kind: FaultUnsettledShort, Text: "the next refund is declined with NOTENOUGH, until its refund_account is REFUND_SOURCE_RECHARGE_FUNDS: unsettled takings do not suffice"},
		{Kind: FaultRefundClosed, Text: "the next refund ends in REFUNDCLOSE: the money stays with the merchant"},
		{Kind: FaultRefundChange, Text: "the next refund ends in CHANGE: it cannot be returned to the payer's account"},
		{Kind: FaultRefundSlow, Text: "the next refund stays PROCESSING for delay_ms", Delay: true},
		{Kind: FaultBillCreating, Text: "the next downloadbill answers Bill Creating"},
		{Kind: FaultBillRowLost, Text: "the next bill lacks its first row; its totals agree with it"},
		{Kind: FaultBillRowChanged, Text: "the amount of the first row of the next bill is one fen higher; its totals agree with it"},
		{Kind: FaultBillRowAdded, Text: "the next bill has a payment without an order; its totals agree with it"},
	}, clientFaultKinds()...)
	kinds = append(kinds, accountFaultKinds(all)...)
	kinds = append(kinds, edgeFaultKinds()...)
	return append(kinds, v3FaultKinds()...)
}

// AddFault queues a fault. The error of an unknown kind lists the known ones.
func (w *WeChat) AddFault(f Fault) error {
	if f.Count == 0 {
		f.Count = 1
	}
	kinds := FaultKinds()
	i := slices.IndexFunc(kinds, func(k FaultKind) bool { return k.Kind == f.Kind })
	if i < 0 {
		var names []string
		for _, k := range kinds {
			names = append(names, k.Kind)
		}
		return fmt.Errorf("unknown fault %q; known: %s", f.Kind, strings.Join(names, ", "))
	}
	k := kinds[i]
	switch {
	case f.Count < 0 || f.Count > 1000:
		return fmt.Errorf("fault %s: count: want 1 to 1000, got %d", f.Kind, f.Count)
	case f.Path != "" && !slices.Contains(k.Paths, f.Path):
		if k.Paths == nil {
			return fmt.Errorf("fault %s has no path", f.Kind)
		}
		return fmt.Errorf("fault %s: unknown path %q; known: %s", f.Kind, f.Path, strings.Join(k.Paths, ", "))
	case k.Delay && (f.DelayMS <= 0 || f.DelayMS > (30*24*time.Hour).Milliseconds()):
		return fmt.Errorf("fault %s: delay_ms: want 1 to 30 days, got %d", f.Kind, f.DelayMS)
	case !k.Delay && f.DelayMS != 0:
		return fmt.Errorf("fault %s has no delay_ms", f.Kind)
	}
	w.faultMu.Lock()
	w.faults = append(w.faults, f)
	w.faultMu.Unlock()
	w.publish(Event{Kind: EventFault})
	return nil
}

// Faults returns the queue with the remaining counts.
func (w *WeChat) Faults() []Fault {
	w.faultMu.Lock()
	defer w.faultMu.Unlock()
	return slices.Clone(w.faults)
}

// ClearFaults empties the queue.
func (w *WeChat) ClearFaults() {
	w.faultMu.Lock()
	w.faults = nil
	w.faultMu.Unlock()
	w.publish(Event{Kind: EventFault})
}

// takeFault uses up one count of the first queued fault of this kind that fits
// the path ("" for faults without one).
func (w *WeChat) takeFault(kind, path string) (Fault, bool) {
	w.faultMu.Lock()
	defer w.faultMu.Unlock()
	for i, f := range w.faults {
		if f.Kind != kind || f.Path != "" && f.Path != path && !(f.Path == PathOrder && placesOrder(path)) || path != "" && !faultApplies(kind, path) {
			continue
		}
		if w.faults[i].Count--; w.faults[i].Count == 0 {
			w.faults = slices.Delete(w.faults, i, i+1)
		}
		w.publish(Event{Kind: EventFault})
		return f, true
	}
	return Fault{}, false
}

// faultApplies reports whether faults of this kind concern the path.
func faultApplies(kind, path string) bool {
	return slices.ContainsFunc(FaultKinds(), func(k FaultKind) bool { return k.Kind == kind && slices.Contains(k.Paths, path) })
}

// faultPath returns the text to compare with a Fault's Path: the path, or the pattern of a
// call of APIv3.
func faultPath(r *http.Request) string {
	if route, _, _ := findV3(r.Method, r.URL.EscapedPath()); route != nil {
		return route.pattern
	}
	return r.URL.Path
}
