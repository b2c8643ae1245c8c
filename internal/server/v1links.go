package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/internal/v1"
)

func (b backend) createLink(ctx context.Context, c *v1Call) (any, error) {
	req := c.body.(v1.CreateLink)
	fingerprint, err := c.fingerprint()
	if err != nil {
		return nil, err
	}
	metadata, err := encodeMetadata(req.Metadata)
	if err != nil {
		return nil, err
	}
	l, err := b.payment.CreateLink(ctx, order.Link{
		Title: req.Title, Description: req.Description, Amount: req.Amount, Min: req.MinAmount, Max: req.MaxAmount, Metadata: metadata,
		TradeTypes: req.TradeTypes, ReturnURL: req.ReturnURL, MaxOrders: req.MaxOrders, ExpiresAt: timeOrZero(req.ExpiresAt),
		MadeBy: c.by.id, IdempotencyKey: c.idempotencyKey, Fingerprint: fingerprint,
	})
	if conflict := (*api.Error)(nil); errors.As(err, &conflict) && conflict.Code == api.CodeConflict {
		return nil, c.mismatch()
	}
	return b.linkOrError(l, err)
}

func (b backend) listLinks(ctx context.Context, c *v1Call) (any, error) {
	q := c.query.(v1.LinkQuery)
	limit := cmp.Or(q.Limit, v1.DefaultPage)
	var before time.Time
	var beforeID string
	if q.Cursor != "" {
		var err error
		if before, beforeID, err = decodeCursor(q.Cursor); err != nil {
			return nil, wrongField("cursor", "want the cursor of a previous response of this list")
		}
	}
	links, err := b.cfg.Store.Links(ctx, before, beforeID, limit+1)
	if err != nil {
		return nil, err
	}
	list := v1.Links{Links: []v1.Link{}}
	if len(links) > limit {
		links = links[:limit]
		list.Next = encodeCursor(links[limit-1].CreatedAt, links[limit-1].ID)
	}
	for _, l := range links {
		list.Links = append(list.Links, b.publicLink(l))
	}
	return list, nil
}

func (b backend) getLink(ctx context.Context, c *v1Call) (any, error) {
	return b.linkOrError(b.cfg.Store.LinkByID(ctx, c.PathValue("id")))
}

func (b backend) changeLink(ctx context.Context, c *v1Call) (any, error) {
	req := c.body.(v1.ChangeLink)
	change := store.LinkChange{Title: req.Title, Description: req.Description, MaxOrders: req.MaxOrders, Withdrawn: req.Withdrawn}
	if req.ExpiresAt != nil {
		at := timeOrZero(*req.ExpiresAt)
		change.ExpiresAt = &at
	}
	return b.linkOrError(b.payment.ChangeLink(ctx, c.PathValue("id"), change))
}

// getPoster returns the poster of a link. Its QR code is the link's URL.
func (b backend) getPoster(ctx context.Context, c *v1Call) (any, error) {
	l, err := b.cfg.Store.LinkByID(ctx, c.PathValue("id"))
	if err != nil {
		return b.linkOrError(l, err)
	}
	svg, err := poster(b.shop.Name, l, b.linkURL(l))
	return document{media: "image/svg+xml", text: svg}, err
}

func (b backend) linkOrError(l order.Link, err error) (any, error) {
	if errors.Is(err, store.ErrNotFound) {
		return nil, noSuch("payment link")
	}
	if err != nil {
		return nil, fieldError(err)
	}
	return b.publicLink(l), nil
}

func (b backend) linkURL(l order.Link) string { return b.shop.Origin + api.PathLink + l.Token }

func (b backend) publicLink(l order.Link) v1.Link {
	public := v1.Link{
		ID: l.ID, URL: b.linkURL(l), Title: l.Title, Description: l.Description, Amount: l.Amount, MinAmount: l.Min, MaxAmount: l.Max,
		ReturnURL: l.ReturnURL, TradeTypes: l.TradeTypes, State: l.State(b.now()), MaxOrders: l.MaxOrders, Orders: l.Orders, Paid: l.Paid,
		PaidAmount: l.PaidAmount, ExpiresAt: unixMilli(l.ExpiresAt), WithdrawnAt: unixMilli(l.WithdrawnAt), CreatedAt: l.CreatedAt.UnixMilli(),
	}
	if len(l.TradeTypes) == 0 {
		public.TradeTypes = b.shop.TradeTypes
	}
	// The store wrote valid JSON. A row that an operator changed by hand must not break a
	// list.
	json.Unmarshal([]byte(cmp.Or(l.Metadata, "null")), &public.Metadata)
	return public
}

// timeOrZero returns the time of Unix ms; 0 is the zero time.
func timeOrZero(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
