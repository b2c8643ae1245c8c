package wechattest

// The faults of the client: what phones and their web views do to a page.
const (
	FaultFreshView     = "fresh_view"
	FaultCookieLost    = "cookie_lost"
	FaultLandingShared = "landing_shared"

	FaultWorkerUndefined = "worker_undefined"
	FaultWorkerThrows    = "worker_throws"

	FaultAnswerDenied       = "answer_denied"
	FaultAnswerNoPermission = "answer_no_permission"
	FaultAnswerString       = "answer_string"
	FaultAnswerUndefined    = "answer_undefined"
	FaultAnswerSDK          = "answer_sdk"

	FaultMWEBMissing = "mweb_missing"
	FaultMWEBAddress = "mweb_address"
)

// answerFaults are the faults in which the bridge answers without a payment sheet.
var answerFaults = []struct{ kind, errMsg, shape string }{
	{FaultOddAnswer, "get_brand_wcpay_request:busy_-1", ""},
	{FaultAnswerDenied, "system:access_denied", ""},
	{FaultAnswerNoPermission, "fail_no permission to execute", ""},
	{FaultAnswerString, "get_brand_wcpay_request:fail", "string"},
	{FaultAnswerUndefined, "", "undefined"},
	{FaultAnswerSDK, "chooseWXPay:fail", "sdk"},
}

// clientFaultKinds describes them.
func clientFaultKinds() []FaultKind {
	return []FaultKind{
		{Kind: FaultFreshView, Text: "the next sign-in returns in a new web view, without the cookies and the storage of the former one"},
		{Kind: FaultCookieLost, Text: "the next sign-in returns without the former cookies; storage is kept"},
		{Kind: FaultLandingShared, Text: "the address with the code of the next sign-in is opened by the next person, as from a copied link"},
		{Kind: FaultWorkerUndefined, Text: "in the next page navigator.serviceWorker.register returns undefined"},
		{Kind: FaultWorkerThrows, Text: "in the next page navigator.serviceWorker.register throws"},
		{Kind: FaultAnswerDenied, Text: "the next getBrandWCPayRequest is answered system:access_denied"},
		{Kind: FaultAnswerNoPermission, Text: "the next getBrandWCPayRequest is answered fail_no permission to execute"},
		{Kind: FaultAnswerString, Text: "the callback of the next getBrandWCPayRequest gets the string fail"},
		{Kind: FaultAnswerUndefined, Text: "the callback of the next getBrandWCPayRequest gets nothing"},
		{Kind: FaultAnswerSDK, Text: "the callback of the next getBrandWCPayRequest gets {errMsg: chooseWXPay:fail}, as from the JS-SDK"},
		{Kind: FaultMWEBMissing, Text: "the next MWEB order is answered SUCCESS without mweb_url, as to a merchant without permission for H5 payment"},
		{Kind: FaultMWEBAddress, Text: "the next browser that opens mweb_url has another address than spbill_create_ip"},
	}
}

// applyReturnFaults applies the faults of a web view that returns from a sign-in to the shop. The
// caller holds w.mu.
func (w *WeChat) applyReturnFaults() {
	_, shared := w.takeFault(FaultLandingShared, "")
	_, fresh := w.takeFault(FaultFreshView, "")
	lost := fresh
	if !fresh {
		_, lost = w.takeFault(FaultCookieLost, "")
	}
	if shared {
		w.holder = (w.holder + 1) % len(w.users)
		next := w.users[w.holder]
		w.publish(Event{Kind: EventUser, User: &next})
	}
	if fresh {
		w.views++
	}
	if lost {
		w.cookieJars++
	}
}
