package wechattest

import (
	"slices"
)

// The faults of APIv3. Those of the ledger (coupons, refunds, bills, notifications)
// and of calls (timeout_before, timeout_after, bad_gateway, system_error,
// bad_reply_sign, no_reply_sign, query_late, forged_reply) are shared with APIv2.
const (
	FaultV3Probe        = "v3_probe"
	FaultV3ClockAhead   = "v3_clock_ahead"
	FaultV3ClockBehind  = "v3_clock_behind"
	FaultV3WrongSerial  = "v3_wrong_serial"
	FaultV3Rotate       = "v3_rotate"
	FaultV3OldCodes     = "v3_old_codes"
	FaultV3EmptyBody    = "v3_empty_body"
	FaultV3Accepted     = "v3_accepted"
	FaultV3Unsigned     = "v3_unsigned_error"
	FaultV3TooMany      = "v3_too_many"
	FaultV3NoAssociated = "v3_no_associated_data"
	FaultCrossVersion   = "cross_version"
	FaultBillDamaged    = "bill_damaged"
)

// V3Callback is the Path of a fault that affects a callback of APIv3 instead of a
// response.
const V3Callback = "callback"

// v3FaultKinds describes them.
func v3FaultKinds() []FaultKind {
	calls := append(v3Paths(), PathOrder)
	messages := append(slices.Clone(calls), V3Callback)
	return []FaultKind{
		{Kind: FaultV3Probe, Text: "APIv3: the signature of a response or a callback is a probe, WECHATPAY/SIGNTEST/, which must not verify; the call takes effect, the callback is repeated", Paths: messages},
		{Kind: FaultV3ClockAhead, Text: "APIv3: the timestamp of a response or a callback is 400 s ahead", Paths: messages},
		{Kind: FaultV3ClockBehind, Text: "APIv3: the timestamp of a response or a callback is 400 s behind", Paths: messages},
		{Kind: FaultV3WrongSerial, Text: "APIv3: a response or a callback names an unknown key", Paths: messages},
		{Kind: FaultV3Rotate, Text: "APIv3: from this response or callback on WeChat signs with another platform certificate or public key, without an announcement", Paths: messages},
		{Kind: FaultV3OldCodes, Text: "APIv3: an error has the spelling of 2020, such as ORDERNOTEXIST", Paths: calls},
		{Kind: FaultV3EmptyBody, Text: "APIv3: the body of a response is lost, its headers are kept; the call takes effect", Paths: calls},
		{Kind: FaultV3Accepted, Text: "APIv3: a call is answered 202, which requires the same call again, and has no effect", Paths: calls},
		{Kind: FaultV3Unsigned, Text: "APIv3: a call is answered 500 SYSTEM_ERROR without a signature, and has no effect", Paths: calls},
		{Kind: FaultV3TooMany, Text: "APIv3: a call is answered 429 FREQUENCY_LIMITED, and has no effect", Paths: calls},
		{Kind: FaultV3NoAssociated, Text: "APIv3: the resource of the next callback has no associated_data"},
		{Kind: FaultBillDamaged, Text: "APIv3: a digit of the next bill file is changed, so that its hash differs"},
		{Kind: FaultCrossVersion, Text: "the next query, close, refund or refund query of an order that the other API version placed finds nothing"},
	}
}
