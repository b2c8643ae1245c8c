package wechat

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"h5pay/wechat/apiv3"
)

// PaymentNotification reads a payment notification of either version: it verifies
// it, and checks that it is for this account. The caller compares amount and
// currency with the order, and checks whether the notification was handled before. After
// an error trust nothing in it, and acknowledge it with ok false.
//
// The Version of the Trade is that of the message. A caller rejects a message of
// another version than the payment's. A message of APIv2 proves that its sender has the
// API key, which other systems of the merchant have too. A failed payment has the state
// StatePayError. A message of APIv3 is signed by WeChat alone.
func (c *Client) PaymentNotification(ctx context.Context, header apiv3.Header, body []byte) (Trade, error) {
	switch v, err := c.notificationVersion(opNotification, body); {
	case err != nil:
		return Trade{}, err
	case v == V2:
		return c.v2.parsePayment(body)
	}
	return c.v3.paymentNotification(ctx, header, body)
}

// RefundNotification reads a refund notification of either version. One of APIv3 is signed by
// WeChat. One of APIv2 is no proof: it only names the refund to query (docs/wechat.md 11.3). A
// merchant of APIv3 gets it too, of refunds that were made by hand or with APIv2. Without an APIv2
// key such a message that names this account has an error with the code CodeNotConfigured.
func (c *Client) RefundNotification(ctx context.Context, header apiv3.Header, body []byte) (Refund, error) {
	if c.v2 == nil && NotificationVersion(body) == V2 {
		if _, err := (&v2client{c.account}).refundFields(body); err != nil {
			return Refund{}, err
		}
	}
	switch v, err := c.notificationVersion(opRefundNotification, body); {
	case err != nil:
		return Refund{}, err
	case v == V2:
		return c.v2.parseRefund(body)
	}
	return c.v3.refundNotification(ctx, header, body)
}

// NotificationVersion returns the version of a notification, "" if body is not a
// notification. It does not verify the sender.
func NotificationVersion(body []byte) Version {
	body = bytes.TrimLeft(bytes.TrimPrefix(body, bom), " \t\r\n")
	switch {
	case len(body) > 0 && body[0] == '<':
		return V2
	case len(body) > 0 && body[0] == '{':
		return V3
	}
	return ""
}

// notificationVersion returns the version of a notification, whose keys there are.
func (c *Client) notificationVersion(op string, body []byte) (Version, error) {
	v := NotificationVersion(body)
	if v == "" {
		return "", &Error{Op: op, Message: "the message cannot be read", Kind: Untrusted}
	}
	if _, err := c.For(v); err != nil {
		return "", &Error{Op: op, Code: CodeNotConfigured, Message: "there are no keys of API" + string(v), Kind: Operator}
	}
	return v, nil
}

// Acknowledgement is the response that WeChat expects to a notification: the status, the
// Content-Type, "" for none, and the body. WeChat repeats a notification that is not acknowledged
// (docs/wechat.md 6.3, 18.5). The message is a short text for WeChat's logs. An unknown version
// gets the response of APIv3.
func Acknowledgement(v Version, ok bool, message string) (status int, contentType string, body []byte) {
	switch {
	case v == V2:
		return http.StatusOK, "text/xml; charset=utf-8", acknowledgementV2(ok, message)
	case ok:
		return http.StatusNoContent, "", nil
	}
	// With the status 200 a failure would count as a success.
	body, err := json.Marshal(map[string]string{"code": "FAIL", "message": clean(message)})
	if err != nil {
		body = []byte(`{"code":"FAIL"}`)
	}
	return http.StatusInternalServerError, "application/json", body
}

// acknowledgementV2 returns the body of the response to a notification of APIv2 (docs/wechat.md
// 6.3). The message is a short text for WeChat's logs.
func acknowledgementV2(ok bool, message string) []byte {
	code := "FAIL"
	if ok {
		code = "SUCCESS"
	}
	return write([]Field{{"return_code", code}, {"return_msg", clean(message)}})
}
