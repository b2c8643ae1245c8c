package store

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"h5pay/internal/order"
)

// MinuteFilter bounds what Minute reads.
type MinuteFilter struct {
	MchID  string
	Now    time.Time
	Unpaid time.Time // orders that were never paid and were made before it are to be deleted
	// Refunds, Notified and Payments are the largest number of each.
	Refunds, Notified, Payments int
}

// Minute is what the timer has to do: see dueRefunds, selectNotified and Due.
type Minute struct {
	Done bool // nothing: the time of the run is stored

	Unpaid  bool // DeleteUnpaid has something to do
	Expired bool // Expire has
	States  bool // DeleteStates has
	Hours   bool // DeleteHours has

	Size     Size // of the database, as the timer last stored it
	Refunds  []order.Refund
	Notified []order.Payment // that WeChat has not confirmed
	Due      []order.Payment
}

// Minute reads what is due. If nothing is, it also stores that the timer completed a run, as
// Reconciled does. All of it is one round trip.
func (s *Store) Minute(ctx context.Context, f MinuteFilter) (m Minute, err error) {
	now, unpaid := f.Now.UnixMilli(), f.Unpaid.UnixMilli()
	const hour = `CAST(?1 / 3600000 AS INTEGER) - 1` // as DeleteHours has it; D1 binds a REAL
	tidy := []string{
		`EXISTS (` + oldUnpaid(`?2`) + `)`,
		`EXISTS (` + expired + `)`,
		`EXISTS (SELECT 1 FROM used_states WHERE expires_at <= ?1)`,
		`EXISTS (SELECT 1 FROM guests_by_hour WHERE hour < ` + hour + `)`,
	}
	due := append(slices.Clone(tidy),
		`EXISTS (SELECT 1 FROM refunds WHERE `+dueRefund()+`)`,
		`EXISTS (SELECT 1 FROM payments INDEXED BY notified_payments WHERE `+dueNotified(`?3`)+`)`)
	for _, kind := range slices.Concat(dueKinds()...) {
		due = append(due, `EXISTS (SELECT 1 FROM payments INDEXED BY payments_due WHERE mch_id = ?3 AND `+kind+` AND due_at <= ?1)`)
	}
	refunds, refundArgs := dueRefunds(f.Now, f.Refunds)
	notified, notifiedArgs := selectNotified(f.MchID, f.Now, f.Notified)
	payments, paymentArgs := selectDue(f.MchID, f.Now, f.Payments)
	err = s.together(ctx,
		statement{"reading what the timer has to do", `SELECT ` + strings.Join(tidy, `, `) + `,
			COALESCE((SELECT used FROM database_size WHERE one = 1), 0), COALESCE((SELECT capacity FROM database_size WHERE one = 1), 0)`,
			[]any{now, unpaid}, func(rows *sql.Rows) error {
				return rows.Scan(&m.Unpaid, &m.Expired, &m.States, &m.Hours, &m.Size.Used, &m.Size.Capacity)
			}},
		reading(&m.Refunds, "refunds", scanRefund, refunds, refundArgs...),
		reading(&m.Notified, "payments", scanPayment, notified, notifiedArgs...),
		reading(&m.Due, "payments", scanPayment, payments, paymentArgs...),
		writing(&m.Done, "storing the time of the timer's run", `INSERT INTO timers (name, at) SELECT 'reconcile', ?1 WHERE NOT (`+strings.Join(due, ` OR `)+`)
			ON CONFLICT (name) DO UPDATE SET at = excluded.at`, now, unpaid, f.MchID))
	return m, err
}
