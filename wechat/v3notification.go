package wechat

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"h5pay/wechat/apiv3"
)

const (
	opNotification       = "notification"
	opRefundNotification = "refund notification"
)

// CodeEcho is the code of a notification that Echo requested. It is WeChat's and is not about a
// payment: acknowledge it.
const CodeEcho = "SECURITY_ECHO"

// open verifies and decrypts a notification.
func (v *v3client) open(ctx context.Context, op string, header apiv3.Header, body []byte) (apiv3.Notification, error) {
	var n apiv3.Notification
	err := v.verified(ctx, header, func() (err error) {
		n, err = v.receiver.Notification(ctx, header, body)
		return err
	})
	var e *apiv3.Error
	switch {
	case errors.As(err, &e):
		return n, v3error(opV3+op, e)
	case err != nil:
		return n, &Error{Op: opV3 + op, Message: "the message cannot be verified", Kind: Retry, Err: cause(ctx, err)}
	case n.EventType == "SECURITY_ECHO.SUCCESS":
		return n, &Error{Op: opV3 + op, Code: CodeEcho, Message: "the message is an echo", Kind: Declined}
	}
	return n, nil
}

// paymentNotification reads a payment notification (docs/wechat.md 18.5).
func (v *v3client) paymentNotification(ctx context.Context, header apiv3.Header, body []byte) (Trade, error) {
	const op = opV3 + opNotification
	n, err := v.open(ctx, opNotification, header, body)
	if err != nil {
		return Trade{}, err
	}
	var m v3trade
	switch {
	case n.EventType != "TRANSACTION.SUCCESS" || n.OriginalType != "" && n.OriginalType != "transaction":
		return Trade{}, &Error{Op: op, Message: "the message is not about a payment", Kind: Untrusted}
	case json.Unmarshal(n.Resource.Bytes(), &m) != nil:
		return Trade{}, &Error{Op: op, Message: "the resource is not JSON as documented", Kind: Untrusted}
	case TradeState(m.TradeState) != StateSuccess:
		return Trade{}, &Error{Op: op, Message: "trade_state contradicts event_type", Kind: Untrusted}
	}
	trade, problem := v.readTrade(m)
	if problem != "" {
		return Trade{}, &Error{Op: op, Message: problem, Kind: Untrusted}
	}
	return trade, nil
}

// refundNotification reads a refund notification.
func (v *v3client) refundNotification(ctx context.Context, header apiv3.Header, body []byte) (Refund, error) {
	const op = opV3 + opRefundNotification
	n, err := v.open(ctx, opRefundNotification, header, body)
	if err != nil {
		return Refund{}, err
	}
	var m v3refund
	event, ok := strings.CutPrefix(n.EventType, "REFUND.")
	switch {
	case !ok || n.OriginalType != "" && n.OriginalType != "refund":
		return Refund{}, &Error{Op: op, Message: "the message is not about a refund", Kind: Untrusted}
	case json.Unmarshal(n.Resource.Bytes(), &m) != nil:
		return Refund{}, &Error{Op: op, Message: "the resource is not JSON as documented", Kind: Untrusted}
	case m.MchID != v.cfg.MchID:
		return Refund{}, &Error{Op: op, Message: "the message's mchid differs", Kind: Untrusted}
	case refundState(m.RefundStatus) != refundState(event):
		return Refund{}, &Error{Op: op, Message: "refund_status contradicts event_type", Kind: Untrusted}
	}
	refund, problem := readV3Refund(m, m.RefundStatus)
	if problem != "" {
		return Refund{}, &Error{Op: op, Message: problem, Kind: Untrusted}
	}
	return refund, nil
}
