package payment

import (
	"context"

	"h5pay/internal/api"
)

// errNotSelling rejects a call that could lead to a payment while the shop does not sell.
func errNotSelling() error {
	return reject(api.CodeNotSelling, "the operator has stopped selling, try again later")
}

// Selling returns errNotSelling if the shop does not sell, by the setting or by the operator's
// switch.
func (s *Service) Selling(ctx context.Context) error {
	if s.cfg.SellingOff {
		return errNotSelling()
	}
	selling, _, err := s.cfg.Store.Selling(ctx)
	if err == nil && !selling {
		return errNotSelling()
	}
	return err
}

// Selling reports whether the shop sells. If it does not, new orders and new payments get
// CodeNotSelling. Payments in progress, refunds and events continue.
type Selling struct {
	Selling    bool  `json:"selling"`
	SettingOff bool  `json:"setting_off,omitempty"` // the setting SELLING is off, and a call cannot override it
	SwitchedAt int64 `json:"switched_at,omitempty"` // Unix ms of the last change by a call
}

// SetSelling stops or resumes selling.
func (s *Service) SetSelling(ctx context.Context, on bool) error {
	if err := s.cfg.Store.SetSelling(ctx, on, s.now()); err != nil {
		return err
	}
	s.logger(ctx).Warn("the operator switches selling", "selling", on)
	return nil
}

// SellingState returns whether the shop sells, and whether the setting or the operator's switch
// decides that.
func (s *Service) SellingState(ctx context.Context) (Selling, error) {
	selling, since, err := s.cfg.Store.Selling(ctx)
	if err != nil {
		return Selling{}, err
	}
	state := Selling{Selling: selling && !s.cfg.SellingOff, SettingOff: s.cfg.SellingOff}
	if !since.IsZero() {
		state.SwitchedAt = since.UnixMilli()
	}
	return state, nil
}
