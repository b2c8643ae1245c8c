package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"h5pay/internal/order"
)

// InsertPayment stores a new payment of an open order and reports whether it did. The payment
// is claimed until claim, as by ClaimPrepay. Its total, body and expiry are those of the
// order. Nothing is stored if the order is not open, or if the buyer has an offered payment
// of the same trade type. An order may have order.MaxLive payments that can be paid,
// order.MaxPayments that did not fail, and order.MaxFailed that failed.
func (s *Store) InsertPayment(ctx context.Context, p order.Payment, claim time.Time) (bool, error) {
	query, args := insertPayment(`orders.id = ?14`, p.OrderID, p, claim)
	return s.run(ctx, "storing a payment of order "+p.OrderID, query+` ON CONFLICT DO NOTHING`, args...)
}

// insertPayment is the SQL of InsertPayment, to which conditions may be added, and its arguments.
func insertPayment(where, value string, p order.Payment, claim time.Time) (string, []any) {
	return `
		INSERT INTO payments (out_trade_no, order_id, guest, appid, mch_id, api_version, trade_type, openid, own, total, currency, shop_name, body,
			client_ip, notify_url, created_at, expires_at, status, claimed_until, due_at, simulated, updated_at)
		SELECT ?1, id, guest, ?2, ?3, ?4, ?5, ?6, IIF(owner = ?6, 1, 0), total, currency, ?7, description, ?8, ?9, ?10, expires_at, 'created', ?11, ?10 + ?12, ?13, ?10
		FROM orders WHERE ` + where + ` AND status = 'open' AND created_at <= ?10
		AND NOT EXISTS (SELECT 1 FROM payments WHERE order_id = orders.id AND trade_type = ?5 AND openid = ?6 AND status IN ('created', 'pending'))
		AND ?15 > (SELECT COUNT(*) FROM payments WHERE order_id = orders.id AND status IN ('created', 'pending', 'closing'))
		AND ?16 > (SELECT COUNT(*) FROM payments WHERE order_id = orders.id AND status <> 'failed')
		AND ?17 > (SELECT COUNT(*) FROM payments WHERE order_id = orders.id AND status = 'failed')`, []any{
			p.OutTradeNo, p.AppID, p.MchID, p.APIVersion, string(p.TradeType), p.OpenID, p.ShopName, p.ClientIP, p.NotifyURL, p.CreatedAt.UnixMilli(),
			milli(claim), minDue.Milliseconds(), flag(p.Simulated), value, order.MaxLive, order.MaxPayments, order.MaxFailed,
		}
}

// paymentColumns are the columns of a payment. None is NULL, also where an order has no
// payment.
const paymentColumns = `COALESCE(payments.out_trade_no, '') AS out_trade_no, COALESCE(payments.order_id, '') AS order_id, COALESCE(payments.guest, 0) AS payment_guest,
	COALESCE(payments.appid, '') AS payment_appid, COALESCE(payments.mch_id, '') AS payment_mch_id, COALESCE(api_version, '') AS api_version,
	COALESCE(trade_type, '') AS trade_type, COALESCE(openid, '') AS openid, COALESCE(payments.total, 0) AS payment_total,
	COALESCE(payments.currency, '') AS payment_currency, COALESCE(shop_name, '') AS shop_name, COALESCE(body, '') AS body, COALESCE(client_ip, '') AS client_ip,
	COALESCE(notify_url, '') AS notify_url, COALESCE(payments.created_at, 0) AS payment_created_at, COALESCE(payments.expires_at, 0) AS payment_expires_at,
	COALESCE(payments.status, '') AS payment_status, COALESCE(prepay_id, '') AS prepay_id, COALESCE(prepay_at, 0) AS prepay_at,
	COALESCE(sign_type, '') AS sign_type, COALESCE(pay_url, '') AS pay_url, COALESCE(claimed_until, 0) AS claimed_until,
	COALESCE(failure, '') AS failure, COALESCE(queried_at, 0) AS queried_at, COALESCE(transaction_id, '') AS transaction_id,
	COALESCE(paid_at, 0) AS paid_at, COALESCE(payer, '') AS payer, (transaction_id IS NOT NULL AND payer IS NULL) AS payer_unknown,
	COALESCE(duplicate, 0) AS duplicate, COALESCE(payments.refunded, 0) AS payment_refunded, COALESCE(payments.simulated, 0) AS payment_simulated,
	COALESCE(payments.updated_at, 0) AS payment_updated_at`

// paymentRow receives the paymentColumns of a row.
type paymentRow struct {
	p                                                         order.Payment
	created, expires, prepay, claimed, queried, paid, updated int64
}

func (r *paymentRow) fields() []any {
	p := &r.p
	return []any{&p.OutTradeNo, &p.OrderID, &p.Guest, &p.AppID, &p.MchID, &p.APIVersion, &p.TradeType, &p.OpenID, &p.Total, &p.Currency, &p.ShopName, &p.Body,
		&p.ClientIP, &p.NotifyURL, &r.created, &r.expires, &p.Status, &p.PrepayID, &r.prepay, &p.SignType, &p.PayURL, &r.claimed,
		&p.Failure, &r.queried, &p.TransactionID, &r.paid, &p.Payer, &p.PayerUnknown, &p.Duplicate, &p.Refunded, &p.Simulated, &r.updated}
}

func (r *paymentRow) payment() order.Payment {
	p := r.p
	p.CreatedAt, p.ExpiresAt, p.UpdatedAt = fromMilli(r.created), fromMilli(r.expires), fromMilli(r.updated)
	p.PrepayAt, p.ClaimedUntil, p.QueriedAt, p.PaidAt = fromMilli(r.prepay), fromMilli(r.claimed), fromMilli(r.queried), fromMilli(r.paid)
	return p
}

// Payment returns the payment with a number that WeChat knows. It checks no owner.
func (s *Store) Payment(ctx context.Context, outTradeNo string) (order.Payment, error) {
	payments, err := s.payments(ctx, `WHERE payments.out_trade_no = ?`, outTradeNo)
	if err == nil && len(payments) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return order.Payment{}, err
	}
	return payments[0], nil
}

// PaymentsOf returns the payments of an order, oldest first.
func (s *Store) PaymentsOf(ctx context.Context, orderID string) ([]order.Payment, error) {
	return s.payments(ctx, `WHERE payments.order_id = ? ORDER BY payments.created_at, payments.out_trade_no`, orderID)
}

func (s *Store) payments(ctx context.Context, where string, args ...any) ([]order.Payment, error) {
	return readAll(ctx, s, "payments", scanPayment, `SELECT `+paymentColumns+` FROM payments `+where, args...)
}

func scanPayment(rows *sql.Rows) (order.Payment, error) {
	var r paymentRow
	err := rows.Scan(r.fields()...)
	return r.payment(), err
}

// The least and the greatest time between two queries of the timer about one payment.
const (
	minDue = time.Minute
	maxDue = 6 * time.Hour // after the expiry: the reason why the payment is still open may last
)

// due is SQL for the time of the next query about a payment that is queried at ?1. The
// pause is twice the age of the payment, but at least minDue: each query writes two rows, and
// most payments are paid in their first minutes. A payment that is to be closed has a pause of
// half the time since that decision, and waits until WeChat closes it. After the expiry the
// pause is half the time since then, between minDue and maxDue. The arguments are those of
// dueArgs; D1 binds them as REAL, so the result is cast.
const due = `CAST(MAX(IIF(status = 'closing', created_at + ?4, 0),
	MIN(?1 + MAX(?2, IIF(status = 'closing', (?1 - updated_at) / 2, (?1 - created_at) * 2)),
		MAX(expires_at + ?3, ?1 + MAX(?2, MIN(?5, (?1 - expires_at) / 2))))) AS INTEGER)`

// dueAgain is due after a query without a response: the pause is half the age.
const dueAgain = `CAST(MIN(due_at, ?1 + MAX(?2, (?1 - created_at) / 2)) AS INTEGER)`

func dueArgs(now time.Time) []any {
	return []any{now.UnixMilli(), minDue.Milliseconds(), order.ExpiryGrace.Milliseconds(), order.MinCloseAge.Milliseconds(), maxDue.Milliseconds()}
}

// selectNotified reads unpaid payments of any status that a notification of the last day
// reported as paid and that WeChat has not confirmed. A payment is due after a pause of
// ten seconds, or half the time between the notification and the last query if that is
// longer. The longest pause comes first.
func selectNotified(mchID string, now time.Time, limit int) (string, []any) {
	return `SELECT ` + paymentColumns + ` FROM payments INDEXED BY notified_payments WHERE ` + dueNotified(`?2`) + ` ORDER BY payments.queried_at LIMIT ?3`,
		[]any{now.UnixMilli(), mchID, limit}
}

// dueNotified is SQL for the payments of selectNotified. ?1 is the time, and mchID a parameter.
// notified_at is at most queried_at, so that the index bounds both.
func dueNotified(mchID string) string {
	return `notified_at IS NOT NULL AND transaction_id IS NULL AND queried_at > ?1 - 86400000 AND queried_at <= ?1 - 10000 AND mch_id = ` + mchID + `
		AND queried_at + (queried_at - notified_at) / 2 <= ?1 AND notified_at > ?1 - 86400000`
}

// Due returns the payments of a merchant that the timer has to query WeChat about, at
// most limit. WeChat answers about a merchant's own payments only.
//
// Four kinds of each API version take turns: open and cancelled payments of signed-in buyers, and
// open and cancelled payments of guests. Of each kind the longest due comes first. So no number of
// payments of one kind delays another. The statement reads at most limit index entries of each
// kind, and the payments that it returns.
func (s *Store) Due(ctx context.Context, mchID string, now time.Time, limit int) ([]order.Payment, error) {
	query, args := selectDue(mchID, now, limit)
	return readAll(ctx, s, "payments", scanPayment, query, args...)
}

// dueKinds returns SQL for the kinds of Due, those of each API version together. PostgreSQL reads one
// kind by the index. It would read all entries of the merchant if one condition named several.
func dueKinds() (versions [][]string) {
	for _, version := range []string{`v2`, `v3`} {
		var kinds []string
		for _, where := range []string{`guest = 0 AND closing = 0`, `guest = 0 AND closing = 1`, `guest = 1 AND closing = 0`, `guest = 1 AND closing = 1`} {
			kinds = append(kinds, `api_version = '`+version+`' AND `+where)
		}
		versions = append(versions, kinds)
	}
	return versions
}

// selectDue returns the statement of Due and its arguments.
func selectDue(mchID string, now time.Time, limit int) (string, []any) {
	var versions []string // D1 takes compounds of five terms at most
	for n, of := range dueKinds() {
		var kinds []string
		for i, where := range of {
			kinds = append(kinds, fmt.Sprintf(`SELECT * FROM (SELECT out_trade_no AS number, due_at AS at, %d AS kind FROM payments INDEXED BY payments_due
			WHERE mch_id = ?1 AND %s AND due_at <= ?2 ORDER BY due_at LIMIT ?3)`, 4*n+i, where))
		}
		versions = append(versions, `SELECT * FROM (`+strings.Join(kinds, ` UNION ALL `)+`)`)
	}
	return `SELECT ` + paymentColumns + ` FROM payments JOIN (
			SELECT number, kind, ROW_NUMBER() OVER (PARTITION BY kind ORDER BY at) AS turn
			FROM (` + strings.Join(versions, ` UNION ALL `) + `) ORDER BY turn, kind LIMIT ?3
		) ON payments.out_trade_no = number ORDER BY turn, kind`,
		[]any{mchID, now.UnixMilli(), limit}
}
