package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
)

// The changes of an order. Each is one conditional statement with the table of
// internal/order/status.go, and reports whether it changed the order. If not, the
// order had another status by then, and nothing was written.
//
// The clock of the machine that made the previous change may be ahead. Then updated_at,
// and with it the time of the step, is that of the previous change.
//
// The trigger order_goes_on stores the step, and guest_order_ends frees the place of a
// guest's order that no longer waits for a payment.

// SetPrepay stores WeChat's response to unifiedorder: created or pending -> pending. It
// ends the claim, and changes nothing if another request has the claim by then.
func (s *Store) SetPrepay(ctx context.Context, id string, p order.Prepay, now time.Time) (bool, error) {
	return s.change(ctx, id, api.StatusPending, now, change{
		set:       `prepay_id = ?, prepay_at = ?, pay_url = ?, sign_type = ?, failure = NULL, asking_until = NULL`,
		args:      []any{p.ID, now.UnixMilli(), p.URL, p.SignType},
		where:     `asking_until IS ?`,
		whereArgs: []any{milli(p.Claim)},
	})
}

// ClaimPrepay stores that unifiedorder is about to be called for an order in place of
// prepayID: from the first call on the timer queries WeChat about the order. One caller at
// a time gets true; the claim ends at until, or with SetPrepay or ReleasePrepay. A zero
// until claims nothing, so that others may call too.
func (s *Store) ClaimPrepay(ctx context.Context, id, prepayID string, until, now time.Time) (bool, error) {
	return s.exec(ctx, id, `
		UPDATE orders SET asking_until = ?1, sent_at = COALESCE(sent_at, MAX(?2, updated_at)), due_at = IIF(sent_at IS NULL, ?2 + ?3, due_at)
		WHERE id = ?4 AND status IN ('created', 'pending') AND COALESCE(prepay_id, '') = ?5 AND (asking_until IS NULL OR asking_until <= ?2)`,
		milli(until), now.UnixMilli(), minDue.Milliseconds(), id, prepayID)
}

// ReleasePrepay ends a claim of ClaimPrepay without a result.
func (s *Store) ReleasePrepay(ctx context.Context, id string, claim time.Time) error {
	_, err := s.exec(ctx, id, `UPDATE orders SET asking_until = NULL WHERE id = ? AND asking_until = ?`, id, claim.UnixMilli())
	return err
}

// Fail ends an order that WeChat declined, with WeChat's code: created -> failed. The
// trigger event_order_closed makes the event, if the order has a prepay_id.
func (s *Store) Fail(ctx context.Context, id, code string, now time.Time) (bool, error) {
	return s.change(ctx, id, api.StatusFailed, now, change{set: `failure = ?`, args: []any{code}})
}

// BeginClose cancels an order that was sent and that WeChat does not close yet: created or
// pending -> closing.
func (s *Store) BeginClose(ctx context.Context, id string, now time.Time) (bool, error) {
	return s.change(ctx, id, api.StatusClosing, now, change{
		set: `due_at = MAX(sent_at + ?, ?)`, args: []any{order.MinCloseAge.Milliseconds(), now.UnixMilli()},
		where: `sent_at IS NOT NULL`,
	})
}

// CloseUnsent ends an order that was never sent to WeChat: created -> closed.
func (s *Store) CloseUnsent(ctx context.Context, id string, now time.Time) (bool, error) {
	return s.change(ctx, id, api.StatusClosed, now, change{where: `sent_at IS NULL`})
}

// BeginCloseAll is BeginClose and CloseUnsent for many orders, in one statement: created
// or pending -> closing, or closed. It returns the new status of the orders that it
// changed. The + keeps SQLite from reading every open order through the index of the
// statuses.
func (s *Store) BeginCloseAll(ctx context.Context, ids []string, now time.Time) (map[string]api.OrderStatus, error) {
	changed := map[string]api.OrderStatus{}
	if len(ids) == 0 {
		return changed, nil
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	args := []any{string(api.StatusClosed), string(api.StatusClosing), now.UnixMilli(), order.MinCloseAge.Milliseconds(), now.UnixMilli(), string(list)}
	from := order.Sources(api.StatusClosing)
	for _, status := range from {
		args = append(args, string(status))
	}
	rows, err := s.db.QueryContext(ctx, `
		UPDATE orders SET status = IIF(sent_at IS NULL, ?, ?), updated_at = MAX(updated_at, ?), network = NULL,
			client_ip = IIF(sent_at IS NULL, '', client_ip), due_at = MAX(sent_at + ?, ?)
		WHERE id IN (SELECT value FROM json_each(?)) AND +status IN (`+strings.TrimSuffix(strings.Repeat(`?, `, len(from)), `, `)+`)
		RETURNING id, status`, args...)
	if err != nil {
		return nil, fmt.Errorf("closing %d orders: %w", len(ids), err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var status api.OrderStatus
		if err := rows.Scan(&id, &status); err != nil {
			return nil, fmt.Errorf("closing %d orders: %w", len(ids), err)
		}
		changed[id] = status
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("closing %d orders: %w", len(ids), err)
	}
	return changed, nil
}

// Close ends an order that can no longer be paid: created, pending or closing ->
// closed. The trigger event_order_closed makes the event, if the order has a prepay_id.
func (s *Store) Close(ctx context.Context, id string, now time.Time) (bool, error) {
	return s.change(ctx, id, api.StatusClosed, now, change{})
}

// Pay marks an order as paid. An order is paid once, and one transaction pays one order:
// nothing happens if another order has the transaction. No payer is stored for an owner
// who was erased. The trigger event_order_paid makes the event, and guest_order_paid
// frees the place of a guest's order among those of its hour.
func (s *Store) Pay(ctx context.Context, id string, p order.Payment, now time.Time) (bool, error) {
	return s.change(ctx, id, api.StatusPaid, now, change{
		set: `transaction_id = ?, paid_at = ?, payer = IIF(owner LIKE '` + order.ErasedPrefix + `%', '', NULLIF(?, '')), settled_by = ?, settled_at = MAX(updated_at, ?),
			simulated = MAX(simulated, ?)`,
		args: []any{p.TransactionID, milli(p.PaidAt), p.Payer, p.Source, now.UnixMilli(), flag(p.Simulated)},
		where: `transaction_id IS NULL
			AND NOT EXISTS (SELECT 1 FROM orders AS other WHERE other.transaction_id = ?)`,
		whereArgs: []any{p.TransactionID},
	})
}

// ClaimQuery claims the right to query WeChat about an unpaid order now. One caller gets
// true, and none until window has passed.
func (s *Store) ClaimQuery(ctx context.Context, id string, window time.Duration, now time.Time) (bool, error) {
	return s.exec(ctx, id, `
		UPDATE orders SET queried_at = ?1, due_at = `+due+`
		WHERE id = ?6 AND status IN ('created', 'pending', 'closing') AND (queried_at IS NULL OR queried_at <= ?7)`,
		append(dueArgs(now), id, now.Add(-window).UnixMilli())...)
}

// ClaimTold claims the right to query WeChat about an unpaid order that a notification
// reports as paid. It writes nothing if the order is paid, or differs from the
// notification. One caller gets true, and none until window has passed. Until the order
// is paid, the timer queries it before all others: see DueTold.
func (s *Store) ClaimTold(ctx context.Context, t order.Told, window time.Duration, now time.Time) (bool, error) {
	return s.exec(ctx, t.OutTradeNo, `
		UPDATE orders SET told_at = ?, queried_at = ?
		WHERE out_trade_no = ? AND transaction_id IS NULL AND api_version = ? AND appid = ? AND mch_id = ? AND total = ? AND currency = ?
		AND (told_at IS NULL OR told_at <= ?)`,
		now.UnixMilli(), now.UnixMilli(), t.OutTradeNo, t.APIVersion, t.AppID, t.MchID, int64(t.Total), t.Currency, now.Add(-window).UnixMilli())
}

// ClaimDueTold is ClaimTold for an order of DueTold.
func (s *Store) ClaimDueTold(ctx context.Context, id string, window time.Duration, now time.Time) (bool, error) {
	return s.exec(ctx, id, `
		UPDATE orders SET queried_at = ? WHERE id = ? AND told_at IS NOT NULL AND transaction_id IS NULL AND queried_at <= ?`,
		now.UnixMilli(), id, now.Add(-window).UnixMilli())
}

// NoteFailure stores why WeChat declined an unpaid order that stays as it is.
func (s *Store) NoteFailure(ctx context.Context, id, code string, now time.Time) error {
	_, err := s.exec(ctx, id, `UPDATE orders SET failure = ?, updated_at = MAX(updated_at, ?) WHERE id = ? AND status IN (?, ?)`,
		code, now.UnixMilli(), id, string(api.StatusCreated), string(api.StatusPending))
	return err
}

// change is what a change of status sets and requires besides the status.
type change struct {
	set       string
	args      []any
	where     string
	whereArgs []any
}

func (s *Store) change(ctx context.Context, id string, to api.OrderStatus, now time.Time, c change) (bool, error) {
	set := []string{`status = ?`, `updated_at = MAX(updated_at, ?)`}
	if !order.Open(to) {
		set = append(set, `network = NULL`)
		if to != api.StatusClosing {
			set = append(set, `due_at = NULL`)
		}
	}
	if to == api.StatusPaid || to == api.StatusClosed || to == api.StatusFailed {
		set = append(set, `client_ip = ''`) // unifiedorder is not called again
	}
	if c.set != "" {
		set = append(set, c.set)
	}
	args := append([]any{string(to), now.UnixMilli()}, c.args...)

	var from []string
	args = append(args, id)
	for _, status := range order.Sources(to) {
		from = append(from, `?`)
		args = append(args, string(status))
	}
	where := []string{`id = ?`, `status IN (` + strings.Join(from, `, `) + `)`}
	if c.where != "" {
		where = append(where, c.where)
	}
	args = append(args, c.whereArgs...)
	return s.exec(ctx, id, `UPDATE orders SET `+strings.Join(set, `, `)+` WHERE `+strings.Join(where, ` AND `), args...)
}

func (s *Store) exec(ctx context.Context, id, query string, args ...any) (bool, error) {
	return s.run(ctx, "changing order "+id, query, args...)
}
