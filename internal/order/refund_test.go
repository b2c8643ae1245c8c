package order_test

import (
	"strings"
	"testing"

	"h5pay/internal/api"
	"h5pay/internal/order"
)

// The advice about a refund names a call only to whoever can make it.
func TestAdvice(t *testing.T) {
	t.Parallel()
	const no = "20261123NOTHINGOFTHISORDER000000"
	for _, test := range []struct {
		what   string
		refund order.Refund
		want   string
	}{
		{"a back end's", order.Refund{Key: "v1-1", Fingerprint: "f"}, "with its Idempotency-Key and from_balance: true"},
		{"a duplicate's", order.Refund{ID: order.DuplicateRefundID(no), OutTradeNo: no, Key: "duplicate:" + no}, "pay in at the merchant platform, then it is sent again within a day"},
	} {
		test.refund.Status, test.refund.Stuck, test.refund.Failure = api.RefundCreated, true, "NOT_ENOUGH"
		if got := test.refund.Public().Advice; !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", test.what, got, test.want)
		}
	}
}
