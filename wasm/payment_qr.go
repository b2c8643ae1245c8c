package main

import (
	"context"
	"time"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
)

// How the page polls and renews a QR code.
const (
	codePollInterval = 3 * time.Second  // between two queries of the order
	codeMargin       = 2 * time.Minute  // the page renews a code this long before it expires
	codeLifetime     = 90 * time.Minute // of a code while the signer's time is unknown
)

// showQRCode shows a QR code and keeps it valid until the order is decided.
func (p *payPage) showQRCode(ctx app.Context, c api.Checkout) {
	attempt, cancel := context.WithCancel(p.ctx)
	p.cancel = cancel
	ctx.Async(func() {
		err := p.showCodes(ctx, attempt, c)
		if attempt.Err() != nil {
			return
		}
		cancel()
		ctx.Dispatch(func(app.Context) { p.err, p.cancel = err, nil })
	})
}

// showCodes shows one code at a time, beginning with that of c. It fetches the next one shortly
// before expiry, because a new code invalidates the last one.
func (p *payPage) showCodes(ctx app.Context, attempt context.Context, c api.Checkout) error {
	for {
		image, err := qrImage(c.CodeURL)
		if err != nil {
			return err
		}
		ctx.Dispatch(func(app.Context) { p.code, p.renewing = image, false })
		if done, err := p.awaitPayment(attempt, c); done || err != nil {
			return err
		}
		ctx.Dispatch(func(app.Context) { p.renewing = true })
		c, err = checkout(attempt, p.b, p.id, []api.TradeType{api.TradeNative}, true)
		if ended, err := p.redirectIfEnded(c, err); ended || err != nil {
			return err
		}
	}
}

// awaitPayment polls the order. It loads the result page and returns true once the order is
// decided. It returns false when the code will expire before the order does.
func (p *payPage) awaitPayment(ctx context.Context, c api.Checkout) (bool, error) {
	for waited := codePollInterval; ; waited += codePollInterval {
		if err := p.b.Sleep(ctx, codePollInterval); err != nil {
			return false, err
		}
		o, err := getOrder(ctx, p.b, p.id)
		switch {
		case err == nil && p.redirectIfDecided(o):
			return true, nil
		case err != nil && !isTemporary(code(err)):
			return false, err
		}
		now := p.b.Now()
		ending := !now.IsZero() && now.UnixMilli() > c.PayUntil-codeMargin.Milliseconds()
		if now.IsZero() {
			ending = waited >= codeLifetime
		}
		if ending && waited >= codeMargin && c.PayUntil < c.Order.ExpiresAt {
			return false, nil
		}
	}
}
