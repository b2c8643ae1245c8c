package server

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"

	"h5pay/internal/order"
	"h5pay/internal/reqlog"
	"h5pay/internal/v1"
)

// keepNotification stores the result of a message at a notify URL, for the operator. It does not
// store the message. If a message is not WeChat's, it stores one a minute, with the number of the
// others. A failure does not change the response to WeChat.
func (s *Server) keepNotification(n incoming, status int, ok bool, reason string) {
	kept := s.notification(n, status, ok, reason)
	s.cfg.Notified(kept.Kind, kept.Verdict)
	if n.kept {
		return
	}
	if !n.verified {
		var due bool
		if kept.More, due = s.unverified.allow("", slog.LevelInfo, s.now()); !due {
			return
		}
	}
	if err := s.cfg.Store.InsertNotification(n.ctx, kept); err != nil {
		s.logSeldom(n.ctx, slog.LevelError, "storing a notification for the operator failed", "error", err)
	}
}

// notification is the row of a message with a response.
func (s *Server) notification(n incoming, status int, ok bool, reason string) order.Notification {
	return order.Notification{
		At: s.now(), Kind: string(n.kind), Version: string(n.version), Verified: n.verified, Verdict: string(verdict(n, status, ok, reason)), Reason: reason,
		OutTradeNo: n.outTradeNo, OutRefundNo: n.outRefundNo, RequestID: reqlog.ID(n.ctx),
	}
}

// tryAgain is the reason in a response after which WeChat sends the message again.
const tryAgain = "try again"

func verdict(n incoming, status int, ok bool, reason string) v1.NotificationResult {
	switch {
	case ok:
		return v1.NotificationAccepted
	case status >= http.StatusInternalServerError, reason == tryAgain:
		return v1.NotificationRetried
	case n.verified:
		return v1.NotificationRejected
	}
	return v1.NotificationForged
}

func (b backend) listNotifications(ctx context.Context, c *v1Call) (any, error) {
	q := c.query.(v1.NotificationQuery)
	stored, err := b.cfg.Store.Notifications(ctx, string(q.Verdict), q.OutTradeNo, cmp.Or(q.Limit, v1.DefaultPage))
	if err != nil {
		return nil, err
	}
	list := v1.Notifications{Notifications: make([]v1.Notification, len(stored))}
	for i, n := range stored {
		list.Notifications[i] = v1.Notification{
			At: n.At.UnixMilli(), Kind: v1.NotificationKind(n.Kind), Version: n.Version, Verdict: v1.NotificationResult(n.Verdict), Reason: n.Reason,
			OutTradeNo: n.OutTradeNo, OutRefundNo: n.OutRefundNo, RequestID: n.RequestID, More: n.More,
		}
	}
	return list, nil
}
