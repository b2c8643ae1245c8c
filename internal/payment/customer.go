package payment

import (
	"net/url"
	"slices"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
)

// Customer returns an order as a caller with its token may see it. openid is that of the session,
// "" without one.
func (s *Service) Customer(w store.Whole, openid string) api.CustomerOrder {
	o := w.Order
	c := api.CustomerOrder{Order: o.Public(), ShopName: s.cfg.ShopName, SignedIn: openid != ""}
	for _, t := range s.cfg.TradeTypes {
		if o.Takes(t) {
			c.TradeTypes = append(c.TradeTypes, t)
		}
	}
	said := len(o.Lines) == 1 && order.Printable(o.Lines[0].Name) == o.Description
	if !said && o.Description != order.Body(s.cfg.ShopName, o.Lines) {
		c.Description = o.Description
	}
	if c.Expired = s.expiredUnpaid(w); !order.WasPaid(o.Status) {
		return c
	}
	c.ReturnURL = s.returnURL(o)
	if openid != "" && o.Payment.Payer != "" {
		c.PaidBy = api.PaidByOther
		if o.Payment.Payer == openid {
			c.PaidBy = api.PaidByYou
		}
	}
	if c.PaidBy != api.PaidByYou {
		c.PaymentNo = ""
	}
	for _, r := range w.Refunds {
		if r.Duplicate {
			view := r.Public()
			c.Refunds = append(c.Refunds, api.Refund{ID: view.ID, Amount: view.Amount, Status: view.Status, CreatedAt: view.CreatedAt, EndedAt: view.EndedAt, Duplicate: true})
		}
	}
	return c
}

// expiredUnpaid reports whether the time to pay an order ended before it was paid or cancelled. An
// order without a payment ends order.MinPrepay earlier, because no payment begins so late.
func (s *Service) expiredUnpaid(o store.Whole) bool {
	now := s.now()
	switch {
	case order.WasPaid(o.Status):
		return false
	case o.Open():
		return o.Expired(now) || o.Live == 0 && o.ExpiresAt.Sub(now) < order.MinPrepay
	case !o.Expired(now):
		return false
	}
	i := slices.IndexFunc(o.Steps, func(step api.Step) bool {
		return step.Status == api.StatusClosing || step.Status == api.StatusClosed
	})
	return i >= 0 && o.Steps[i].At >= o.ExpiresAt.UnixMilli()
}

// returnURL returns the merchant's page to return to, "" without one. The host is checked
// again, because the merchant may have removed it from the setting since.
func (s *Service) returnURL(o order.Order) string {
	if o.ReturnURL == "" || s.checkReturnURL(o.ReturnURL) != nil {
		return ""
	}
	u, err := url.Parse(o.ReturnURL)
	if err != nil {
		return ""
	}
	// The rest of the query is unchanged.
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += "order=" + o.ID
	return u.String()
}
