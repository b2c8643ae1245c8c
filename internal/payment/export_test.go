package payment

import (
	"context"

	"h5pay/internal/order"
	"h5pay/wechat"
)

// Names that the tests in package payment_test use. Those tests need paytest, which imports this
// package.
const (
	ResendWindow = resendWindow
	SourceCron   = sourceCron
	SourceNotify = sourceNotify
	SourcePoll   = sourcePoll
)

// Settle settles a trade of the payment that it names.
func (s *Service) Settle(ctx context.Context, trade wechat.Trade, source string) (order.Payment, error) {
	p, err := s.paymentOf(ctx, trade, source)
	if err != nil {
		return p, err
	}
	return s.settle(ctx, p, trade, source, nil)
}

func (s *Service) SyncRefunds(ctx context.Context, p order.Payment, source string) error {
	return s.syncRefunds(ctx, p, source)
}

func (s *Service) ContinueRefund(ctx context.Context, r order.Refund, source string) error {
	_, err := s.continueRefund(ctx, r, source)
	return err
}
