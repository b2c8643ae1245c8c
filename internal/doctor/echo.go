package doctor

import (
	"context"
	"fmt"
	"time"

	"h5pay/internal/cause"
	"h5pay/internal/order"
	"h5pay/internal/v1"
	"h5pay/wechat"
)

// echoPauses are the pauses between the reads of the notifications, about four seconds in
// all. Each read is one statement.
var echoPauses = [...]time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond, time.Second, 1500 * time.Millisecond}

// echo makes WeChat send a callback to the notify URL, and looks for it among the notifications of
// the shop. Another instance may have received it.
func (d *Doctor) echo(ctx context.Context) result {
	began := d.now()
	e := call(ctx, func(ctx context.Context) error { return d.cfg.WeChat.Echo(ctx, d.notifyURL()) })
	switch {
	case e == nil:
	case e.Status == 404, e.Code == "PARAM_ERROR", e.Kind == wechat.Declined:
		return skip("WeChat sends no test callback: " + e.Error())
	default:
		return d.v3Result(e)
	}
	var waited time.Duration
	for _, pause := range echoPauses {
		if err := sleep(ctx, pause); err != nil {
			break
		}
		waited += pause
		list, err := d.cfg.Notifications.Notifications(ctx, "", "", 20)
		if err != nil {
			return skip("reading the notifications failed")
		}
		for _, n := range list {
			if n.At.Before(began.Truncate(time.Millisecond)) {
				continue
			}
			if n.Kind != string(v1.NotifiedEcho) && !unreadable(n) {
				continue
			}
			if n.Verdict == string(v1.NotificationAccepted) {
				return result{}
			}
			if n.Verdict == string(v1.NotificationRejected) { // its signature is WeChat's
				return result{cause: cause.APIv3KeyWrong, setting: "WECHAT_APIV3_KEY", detail: n.Reason}
			}
			return result{cause: cause.EchoNotVerified, detail: n.Reason}
		}
	}
	return result{cause: cause.EchoNotReceived, detail: fmt.Sprintf("no callback at %s in %v", d.notifyURL(), waited.Round(100*time.Millisecond))}
}

// unreadable reports whether a message may be the callback although its kind is unknown,
// because it could not be read.
func unreadable(n order.Notification) bool {
	return n.Verdict == string(v1.NotificationForged) || n.Verdict == string(v1.NotificationRejected) && n.OutTradeNo == ""
}

// sleep waits. The error is that of ctx.
func sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
