package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"h5pay/internal/order"
)

// What is stored about a person: the openid or guest id of the owner of an order, the
// openid of its payer, the address it was made from, and the payer in its events. An
// erased order keeps amounts, numbers and times, which bookkeeping needs.

// PersonOrders returns the orders that a person owns or has paid, oldest first, at most
// limit. afterTime and afterID are of the last order of the previous page.
func (s *Store) PersonOrders(ctx context.Context, person string, afterTime time.Time, afterID string, limit int) ([]order.Order, error) {
	return s.query(ctx, `
		WHERE id IN (SELECT id FROM orders WHERE owner = ?1 UNION SELECT id FROM orders WHERE payer = ?1)
		AND (created_at, id) > (?2, ?3) ORDER BY created_at, id LIMIT ?4`,
		person, afterTime.UnixMilli(), afterID, limit)
}

// ErasePerson removes a person from orders that are not open, as the owner or the payer.
// The trigger erase_payer removes the payer from the events of the orders in the same
// statement. Later reports of WeChat do not bring the payer back: Pay and
// CompletePayments store none for an owner who was erased.
func (s *Store) ErasePerson(ctx context.Context, person string, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	_, err = s.db.ExecContext(ctx, `
		UPDATE orders SET
			payer = CASE WHEN payer = ?1 OR owner = ?1 AND payer IS NULL AND transaction_id IS NOT NULL THEN '' ELSE payer END,
			client_ip = IIF(owner = ?1, '', client_ip),
			guest = IIF(owner = ?1, 0, guest),
			owner = IIF(owner = ?1, '`+order.ErasedPrefix+`' || id, owner)
		WHERE id IN (SELECT value FROM json_each(?2)) AND (owner = ?1 OR payer = ?1) AND status NOT IN ('created', 'pending')`,
		person, string(list))
	if err != nil {
		return fmt.Errorf("erasing a person from %d orders: %w", len(ids), err)
	}
	return nil
}

// ForgetPayers removes the payer from events that were made before a time and are
// delivered or dead, at most limit. pending includes pending events.
func (s *Store) ForgetPayers(ctx context.Context, before time.Time, pending bool, limit int) error {
	_, err := s.db.ExecContext(ctx, `
		UPDATE events SET data = json_set(data, '$.order.payer', NULL) WHERE seq IN (
			SELECT seq FROM events INDEXED BY events_with_payer
			WHERE json_extract(data, '$.order.payer') IS NOT NULL AND created_at < ? AND (status <> 'pending' OR ?)
			ORDER BY created_at LIMIT ?)`, before.UnixMilli(), flag(pending), limit)
	if err != nil {
		return fmt.Errorf("forgetting the payers of old events: %w", err)
	}
	return nil
}
