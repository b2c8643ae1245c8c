package store

import (
	"context"
	"encoding/json"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
)

// WindowFilter selects orders, also by columns without an index. A zero field selects all.
type WindowFilter struct {
	// At most one of these is set. Each selects at most one order, except Number, which is
	// any number of the order, its payments or its refunds.
	Number, Reference, OutTradeNo, TransactionID string

	Link               string // ID of the payment link that made the orders
	Status             api.OrderStatus
	Source             order.Source
	MetaKey, MetaValue string    // an entry of the metadata
	From, To           time.Time // created at From or after it, and before To
	BeforeTime         time.Time // with BeforeID: of the last order that the previous call looked at
	BeforeID           string
	Limit              int // required
}

// searchWindow is how many orders one SearchWindow looks at.
const searchWindow = 1000

// SearchWindow returns the orders that f selects, newest first, at most f.Limit, and the
// filter of the next call, nil when nothing is left. It looks at searchWindow orders at
// most, so that it may return fewer than f.Limit although there are more.
func (s *Store) SearchWindow(ctx context.Context, f WindowFilter) ([]order.Order, *WindowFilter, error) {
	window, err := s.window(ctx, f)
	if err != nil {
		return nil, nil, err
	}
	ids := []string{}
	var next *WindowFilter
	for i, o := range window {
		if o.Matches {
			ids = append(ids, o.ID)
		}
		if last := i == len(window)-1; len(ids) == f.Limit && !last || last && len(window) == searchWindow {
			f.BeforeTime, f.BeforeID = o.CreatedAt, o.ID
			next = &f
			break
		}
	}
	if len(ids) == 0 {
		return nil, next, nil
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, nil, err
	}
	orders, err := s.query(ctx, `WHERE orders.id IN (SELECT value FROM json_each(?)) ORDER BY orders.created_at DESC, orders.id DESC`, string(list))
	return orders, next, err
}

// window returns the orders that SearchWindow looks at, and whether f selects each.
func (s *Store) window(ctx context.Context, f WindowFilter) ([]OpenOrder, error) {
	limit := searchWindow
	if f.Source == "" && f.MetaKey == "" && f.Status != api.StatusPaid && (f.Link == "" || f.Status == "") {
		limit = min(limit, f.Limit+1) // every one matches
	}
	from, one := `orders INDEXED BY orders_by_time WHERE ?5 = ''`, ``
	switch {
	case f.Number != "":
		from, one = `orders WHERE id IN (SELECT id FROM orders WHERE id = ?5 OR reference = ?5
			UNION SELECT order_id FROM payments WHERE out_trade_no = ?5 OR transaction_id = ?5 UNION SELECT order_id FROM refunds WHERE id = ?5 OR refund_id = ?5)`, f.Number
	case f.Reference != "":
		from, one = `orders WHERE reference = ?5`, f.Reference
	case f.OutTradeNo != "":
		from, one = `orders WHERE id = (SELECT order_id FROM payments WHERE out_trade_no = ?5)`, f.OutTradeNo
	case f.TransactionID != "":
		from, one = `orders WHERE id = (SELECT order_id FROM payments WHERE transaction_id = ?5)`, f.TransactionID
	case f.Link != "":
		from, one = `orders INDEXED BY orders_by_link WHERE link_id = ?5`, f.Link
	case f.Status != "" && f.Status != api.StatusPaid:
		from = `orders INDEXED BY orders_by_status WHERE status = ` + quoted(f.Status) + ` AND status <> 'paid' AND ?5 = ''`
	}
	most := int64(1) << 52
	since, to, before := int64(0), most, most
	if !f.From.IsZero() {
		since = f.From.UnixMilli()
	}
	if !f.To.IsZero() {
		to = f.To.UnixMilli()
	}
	if f.BeforeID != "" {
		before = f.BeforeTime.UnixMilli()
	}
	return readAll(ctx, s, "orders", scanOpenOrder, `
		SELECT id, created_at, ?1 IN ('', status) AND ?2 IN ('', source)
			AND (?3 = '' OR EXISTS (SELECT 1 FROM json_each(COALESCE(metadata, '{}')) WHERE key = ?3 AND value = ?4)) AS matches
		FROM `+from+` AND created_at >= ?6 AND created_at < ?7 AND (created_at, id) < (?8, ?9) ORDER BY created_at DESC, id DESC LIMIT ?10`,
		string(f.Status), string(f.Source), f.MetaKey, f.MetaValue, one, since, to, before, f.BeforeID, limit)
}
