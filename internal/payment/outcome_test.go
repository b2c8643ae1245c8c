package payment

import (
	"context"
	"fmt"
	"testing"

	"h5pay/wechat"
)

func TestOutcomes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err            error
		prepay, refund outcome
	}{
		"no response":           {context.DeadlineExceeded, outcomeRetry, outcomeRetry},
		"wrapped":               {fmt.Errorf("calling: %w", &wechat.Error{Kind: wechat.Retry}), outcomeRetry, outcomeRetry},
		"busy":                  {&wechat.Error{Kind: wechat.Retry, Code: "SYSTEMERROR"}, outcomeRetry, outcomeLater},
		"not WeChat's":          {&wechat.Error{Kind: wechat.Untrusted}, outcomeRetry, outcomeRetry},
		"wrong key":             {&wechat.Error{Kind: wechat.Operator, Code: "SIGNERROR"}, outcomeShop, outcomeShop},
		"declined without code": {&wechat.Error{Kind: wechat.Developer}, outcomeShop, outcomeShop},
		"declined":              {&wechat.Error{Kind: wechat.Developer, Code: "PARAM_ERROR"}, outcomeDeclined, outcomeDeclined},
		"paid":                  {&wechat.Error{Kind: wechat.Developer, Code: wechat.CodeOrderPaid}, outcomePaid, outcomeDeclined},
		"closed":                {&wechat.Error{Kind: wechat.Developer, Code: wechat.CodeOrderClosed}, outcomeClosed, outcomeDeclined},
		"no money":              {&wechat.Error{Kind: wechat.Operator, Code: wechat.CodeNotEnough}, outcomeShop, outcomeShop},
	} {
		e := wechatError(c.err)
		if got := prepayOutcome(e); got != c.prepay {
			t.Errorf("%s: an order has outcome %d, want %d", name, got, c.prepay)
		}
		if got := refundOutcome(e); got != c.refund {
			t.Errorf("%s: a refund has outcome %d, want %d", name, got, c.refund)
		}
	}
}
