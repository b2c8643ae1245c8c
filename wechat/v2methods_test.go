package wechat

import (
	"context"
	"time"
)

// Methods of a Client that use APIv2, for the tests of APIv2.

// UnifiedOrder is PlaceOrder of APIv2.
func (c *Client) UnifiedOrder(ctx context.Context, o Order) (Prepay, error) {
	if c.v2 == nil {
		return Prepay{}, notConfigured(V2)
	}
	return c.v2.PlaceOrder(ctx, o)
}

// PayParams is PayParams of APIv2.
func (c *Client) PayParams(prepayID string) (PayParams, error) {
	if c.v2 == nil {
		return PayParams{}, notConfigured(V2)
	}
	return c.v2.PayParams(context.Background(), prepayID)
}

// QueryOrder is QueryOrder of APIv2.
func (c *Client) QueryOrder(ctx context.Context, outTradeNo string) (Trade, error) {
	if c.v2 == nil {
		return Trade{}, notConfigured(V2)
	}
	return c.v2.QueryOrder(ctx, outTradeNo)
}

// CloseOrder is CloseOrder of APIv2.
func (c *Client) CloseOrder(ctx context.Context, outTradeNo string, accepted time.Time) error {
	if c.v2 == nil {
		return notConfigured(V2)
	}
	return c.v2.CloseOrder(ctx, outTradeNo, accepted)
}

// CanRefund is CanRefund of APIv2.
func (c *Client) CanRefund() bool { return c.v2 != nil && c.v2.CanRefund() }

// Refund is Refund of APIv2.
func (c *Client) Refund(ctx context.Context, r RefundRequest) (Refund, error) {
	if c.v2 == nil {
		return Refund{}, notConfigured(V2)
	}
	return c.v2.Refund(ctx, r)
}

// QueryRefund is QueryRefund of APIv2.
func (c *Client) QueryRefund(ctx context.Context, outRefundNo string) (Refund, error) {
	if c.v2 == nil {
		return Refund{}, notConfigured(V2)
	}
	return c.v2.QueryRefund(ctx, outRefundNo)
}

// QueryRefunds is QueryRefunds of APIv2.
func (c *Client) QueryRefunds(ctx context.Context, outTradeNo string) ([]Refund, error) {
	if c.v2 == nil {
		return nil, notConfigured(V2)
	}
	return c.v2.QueryRefunds(ctx, outTradeNo)
}

// DownloadBill is DownloadBill of APIv2.
func (c *Client) DownloadBill(ctx context.Context, day time.Time) (Bill, error) {
	if c.v2 == nil {
		return Bill{}, notConfigured(V2)
	}
	return c.v2.DownloadBill(ctx, day)
}

// ParsePayment reads a payment notification of APIv2.
func (c *Client) ParsePayment(body []byte) (Trade, error) {
	if c.v2 == nil {
		return Trade{}, notConfigured(V2)
	}
	return c.v2.parsePayment(body)
}

// ParseRefund reads a refund notification of APIv2.
func (c *Client) ParseRefund(body []byte) (Refund, error) {
	if c.v2 == nil {
		return Refund{}, notConfigured(V2)
	}
	return c.v2.parseRefund(body)
}
