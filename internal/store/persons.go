package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"h5pay/internal/order"
)

// The stored data of a person: the openid or guest id of an order's owner, and the openids that
// were to pay a payment and paid it. The client's address of a payment and the payer in events
// belong to it too. An erased order keeps amounts, numbers and times, which bookkeeping needs.

// PersonOrders returns the orders that a person owns, has paid or was to pay, oldest
// first, at most limit. afterTime and afterID are of the last order of the previous page.
func (s *Store) PersonOrders(ctx context.Context, person string, afterTime time.Time, afterID string, limit int) ([]order.Order, error) {
	return s.query(ctx, `
		WHERE orders.id IN (SELECT id FROM orders WHERE owner = ?1 UNION SELECT order_id FROM payments WHERE payer = ?1 AND payer <> openid
			UNION SELECT order_id FROM payments WHERE openid = ?1 AND openid <> '' AND own = 0)
		AND (orders.created_at, orders.id) > (?2, ?3) ORDER BY orders.created_at, orders.id LIMIT ?4`,
		person, afterTime.UnixMilli(), afterID, limit)
}

// ErasePerson removes a person from orders that are not open and from their payments. Payments come
// first, so that a call that fails between the two statements finds the orders again. In the same
// statements the trigger erase_owner removes the owner from the payments, and erase_payer removes
// the payer from the events. Later reports of WeChat do not bring the payer back: Pay and
// CompletePayments store none for a person who was erased.
func (s *Store) ErasePerson(ctx context.Context, person string, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	for _, query := range []string{`
		UPDATE payments SET
			payer = CASE WHEN payer = ?1 OR openid = ?1 AND payer IS NULL AND transaction_id IS NOT NULL THEN '' ELSE payer END,
			client_ip = IIF(openid = ?1, '', client_ip),
			openid = IIF(openid = ?1, '', openid)
		WHERE order_id IN (SELECT value FROM json_each(?2)) AND (payer = ?1 OR openid = ?1) AND status NOT IN ('created', 'pending')`, `
		UPDATE orders SET guest = 0, owner = '` + order.ErasedPrefix + `' || id
		WHERE id IN (SELECT value FROM json_each(?2)) AND owner = ?1 AND +status <> 'open'`,
	} {
		if _, err := s.db.ExecContext(ctx, query, person, string(list)); err != nil {
			return fmt.Errorf("erasing a person from %d orders: %w", len(ids), err)
		}
	}
	return nil
}

// RemovePayers removes the payer from at most limit events that were made before a time and wait at
// no endpoint (waitsAt).
func (s *Store) RemovePayers(ctx context.Context, before time.Time, unset bool, limit int) error {
	_, err := s.db.ExecContext(ctx, `
		UPDATE events SET data = json_set(data, '$.payment.payer', NULL) WHERE seq IN (
			SELECT seq FROM events INDEXED BY events_with_payer
			WHERE json_extract(data, '$.payment.payer') IS NOT NULL AND created_at < ?1
			AND NOT EXISTS (SELECT 1 FROM endpoints CROSS JOIN deliveries ON endpoint_id = endpoints.id AND event_seq = seq
				WHERE `+waitsAt(`?2`)+` AND deliveries.status = 'pending')
			ORDER BY created_at LIMIT ?3)`, before.UnixMilli(), flag(unset), limit)
	if err != nil {
		return fmt.Errorf("removing the payers of old events: %w", err)
	}
	return nil
}
