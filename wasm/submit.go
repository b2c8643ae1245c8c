package main

import (
	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
	"h5pay/internal/fen"
)

// submit creates the order of a draft, whose total is shown, and loads its pay page. If that fails, the screen shows the
// error, and failed runs before it is drawn.
func (s *base) submit(ctx app.Context, d draft, items []api.OrderItem, total fen.Fen, failed func()) {
	place := s.asBuyer(ctx, func() (func(), error) {
		id, err := d.place(s.ctx, items, total)
		if err == nil {
			s.b.Assign(payPath(id)) // the pay page redirects to the result if the order is paid
		}
		return nil, err
	})
	ctx.Async(func() {
		if _, err := place(); err != nil {
			ctx.Dispatch(func(app.Context) {
				s.err = err
				failed()
			})
		}
	})
}
