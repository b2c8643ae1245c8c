package wechat

import (
	"context"
	"io"
	"time"
)

// Version is a version of the merchant API.
type Version string

// The versions. A payment is ended with the version with which it began, and so
// are its refunds.
const (
	V2 Version = "v2" // XML, signed with the APIv2 key
	V3 Version = "v3" // JSON, signed with RSA
)

// Merchant is the merchant API in one of its versions. It is safe for concurrent use.
//
// A call whose connection to WeChat failed is sent once more, to the backup host. WeChat may then
// have it twice, so every call is idempotent. Errors are of type *Error.
type Merchant interface {
	Version() Version

	// PlaceOrder places an order at WeChat. The same order may be sent again,
	// unchanged, as long as it is unpaid (docs/wechat.md 4.5). After an
	// error of kind Retry send the same order again, and no other.
	PlaceOrder(ctx context.Context, o Order) (Prepay, error)
	// PayParams signs what the page, or a mini program, pays with.
	PayParams(ctx context.Context, prepayID string) (PayParams, error)
	// AppParams signs what an app pays with.
	AppParams(ctx context.Context, prepayID string) (AppParams, error)
	// QueryOrder queries an order. If WeChat does not know the order, the error's code is
	// CodeOrderNotExist.
	QueryOrder(ctx context.Context, outTradeNo string) (Trade, error)
	// QueryTransaction queries an order by WeChat's number of its payment.
	QueryTransaction(ctx context.Context, transactionID string) (Trade, error)
	// CloseOrder closes an unpaid order at WeChat. accepted is when WeChat accepted the
	// order. Before MinCloseAge has passed nothing is sent, and the error is of kind
	// Retry. With the zero time the caller is responsible for the rule.
	//
	// The error's code gives the state of the order. CodeOrderPaid: query the order. CodeOrderClosed:
	// the order was closed before. CodeOrderNotExist: WeChat never accepted the order. A payment that
	// WeChat reports later still counts.
	CloseOrder(ctx context.Context, outTradeNo string, accepted time.Time) error

	// CanRefund reports whether what Refund needs is configured.
	CanRefund() bool
	// Refund requests a refund. Success means that WeChat accepted it; QueryRefund returns its
	// state. The same request with the same OutRefundNo is paid once, so it is the right retry.
	Refund(ctx context.Context, r RefundRequest) (Refund, error)
	// QueryRefund queries a refund. If WeChat does not know the refund, the error's code is
	// CodeRefundNotExist.
	QueryRefund(ctx context.Context, outRefundNo string) (Refund, error)
	// QueryRefunds queries all refunds of an order, those made by hand at the
	// merchant platform included. APIv3 does not offer it: the error's code is
	// then CodeNotOffered.
	QueryRefunds(ctx context.Context, outTradeNo string) ([]Refund, error)

	// DownloadBill fetches and reads the trade bill of a day in Beijing, the one that
	// contains day. The day is over, and at most three months old. It is ready at ten
	// o'clock of the next morning; until then nothing is sent and the error is of kind
	// Retry. A day without trades has an empty bill.
	DownloadBill(ctx context.Context, day time.Time) (Bill, error)
	// TradeBill is DownloadBill for the text as WeChat has it. For a day without trades the error's
	// code is CodeNoBill. Trust the text only after Read returned io.EOF.
	TradeBill(ctx context.Context, day time.Time) (io.ReadCloser, error)
	// FundFlowBill is TradeBill for the movements of the merchant's account.
	// APIv2 does not offer it here.
	FundFlowBill(ctx context.Context, day time.Time) (io.ReadCloser, error)
}

// CodeNotOffered is the code of a call that a version does not offer.
const CodeNotOffered = "NOT_OFFERED"

// CodeNotConfigured is the code of a version whose keys are not configured.
const CodeNotConfigured = "NOT_CONFIGURED"

func notOffered(op string, v Version) error {
	return &Error{Op: op, Code: CodeNotOffered, Message: "not sent: API" + string(v) + " does not offer it", Kind: Developer}
}

// Version returns the version of new payments.
func (c *Client) Version() Version { return c.cfg.Version }

// For returns the merchant API in a version. The error's code is
// CodeNotConfigured when the Config has no keys for it.
func (c *Client) For(v Version) (Merchant, error) {
	switch {
	case v == V2 && c.v2 != nil:
		return c.v2, nil
	case v == V3 && c.v3 != nil:
		return c.v3, nil
	}
	return nil, notConfigured(v)
}

func notConfigured(v Version) error {
	return &Error{Op: "pay", Code: CodeNotConfigured, Message: "there are no keys of API" + string(v), Kind: Operator}
}
