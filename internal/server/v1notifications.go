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

// keepNotification stores what became of a message that arrived as WeChat's, for the
// operator. Of messages that are not WeChat's one a minute is stored, with the number of
// those in between. The message itself is not stored. WeChat gets its answer also if
// storing fails.
func (s *Server) keepNotification(n incoming, status int, ok bool, reason string) {
	kept := order.Notification{
		At: s.now(), Kind: string(n.kind), Version: string(n.version), Verified: n.verified, Verdict: string(verdict(n, status, ok, reason)), Reason: reason,
		OutTradeNo: n.outTradeNo, OutRefundNo: n.outRefundNo, RequestID: reqlog.ID(n.ctx),
	}
	s.cfg.Notified(kept.Kind, kept.Verdict)
	if !n.verified {
		var due bool
		if kept.More, due = s.unverified.allow("", slog.LevelInfo, s.now()); !due {
			return
		}
	}
	if err := s.cfg.Store.InsertNotification(n.ctx, kept); err != nil {
		s.logSeldom(n.ctx, slog.LevelError, "a notification is not stored for the operator", "error", err)
	}
}

// tryAgain is the reason in the response to a message that WeChat is to send again.
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
