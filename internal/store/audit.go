package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
)

// The audit list. Before a call changes something, it stores an intent. Afterwards it appends
// an entry, and the trigger audit_entry_ends_intent removes the intent in the same statement.
// If the call dies, its intent stays, and RecoverAudit makes it an entry with Unknown.

// BeginAudit stores the intent of a call and sets Began. If the list already has an entry of the call,
// it sets Repeated, and the ID of the entry becomes the intent: a repeated call that changes something
// has an entry of its own.
func (s *Store) BeginAudit(ctx context.Context, i *order.AuditIntent) error {
	return s.together(ctx, beginAudit(i))
}

func beginAudit(i *order.AuditIntent) statement {
	e := i.Entry
	return statement{"storing an intent", `
		INSERT INTO audit_intents (intent, id, at, key_id, key_name, action, object, before, request_id)
		SELECT ?1, IIF(EXISTS (SELECT 1 FROM audit WHERE audit.id = ?2), ?1, ?2), ?3, ?4, ?5, ?6, ?7, ?8, ?9 RETURNING id`,
		[]any{i.Intent, e.ID, e.At.UnixMilli(), e.KeyID, e.KeyName, e.Action, e.Object, e.Before, e.RequestID},
		func(rows *sql.Rows) error {
			i.Began = true
			err := rows.Scan(&i.Entry.ID)
			i.Repeated = i.Entry.ID != e.ID
			return err
		}}
}

// beginning returns the statements that store the intent of a call and read the end of the list, none
// without an intent. They come before those of the change.
func beginning(i *order.AuditIntent) []statement {
	if i == nil {
		return nil
	}
	return []statement{
		beginAudit(i),
		{"reading the end of the audit list", auditEnd, []any{i.Entry.ID}, func(rows *sql.Rows) error {
			var there bool
			i.End = &order.AuditEnd{}
			return rows.Scan(&i.End.Seq, &i.End.Hash, &there)
		}},
	}
}

// auditEnd is SQL for the last entry of the list, and whether the list has the entry of a call.
const auditEnd = `SELECT COALESCE((SELECT MAX(seq) FROM audit), 0), COALESCE((SELECT hash FROM audit ORDER BY seq DESC LIMIT 1), ''), EXISTS (SELECT 1 FROM audit WHERE id = ?)`

// DropAudit removes the intent of a call that changed nothing.
func (s *Store) DropAudit(ctx context.Context, intent string) error {
	_, err := s.run(ctx, "removing an intent", `DELETE FROM audit_intents WHERE intent = ?`, intent)
	return err
}

// appendTries is how often Audit tries to append, because other calls append too.
const appendTries = 50

// Audit appends the entry of a call that changed something, and the trigger audit_entry_ends_intent
// removes its intent. It sets Seq and Hash of the entry. If a repeated call has appended one with the
// same ID, the ID becomes the intent. The triggers audit_is_final and audit_is_kept reject a later change.
//
// end is what the caller knows of the end of the list, or nil. With it the entry takes one
// statement, if no other call has appended since.
func (s *Store) Audit(ctx context.Context, intent string, e order.AuditEntry, end *order.AuditEnd) (order.AuditEntry, error) {
	return s.audit(ctx, intent, e, end, true)
}

// audit is Audit. Without again it appends nothing if the list has an entry with the ID, and removes
// the intent.
func (s *Store) audit(ctx context.Context, intent string, e order.AuditEntry, end *order.AuditEnd, again bool) (order.AuditEntry, error) {
	for range appendTries {
		if end == nil {
			end = &order.AuditEnd{}
			var there bool
			if err := s.db.QueryRowContext(ctx, auditEnd, e.ID).Scan(&end.Seq, &end.Hash, &there); err != nil {
				return e, fmt.Errorf("reading the end of the audit list: %w", err)
			}
			switch {
			case !there:
			case !again || e.ID == intent:
				return e, s.DropAudit(ctx, intent)
			default:
				e.ID = intent
			}
		}
		e.Seq = end.Seq + 1
		e.Hash = e.Sum(end.Hash)
		end = nil
		query, args := appendAudit(intent, e, `1 = 1`)
		appended, err := s.run(ctx, "appending to the audit list", query, args...)
		if err != nil || appended {
			return e, err
		}
	}
	return e, errors.New("appending to the audit list: other calls were faster in every try")
}

// appendAudit appends an entry if a condition holds and no other call has appended since e.Seq was
// computed. more are the arguments of the condition, whose first is ?14.
func appendAudit(intent string, e order.AuditEntry, condition string, more ...any) (string, []any) {
	return `
		INSERT INTO audit (seq, id, intent, at, key_id, key_name, action, object, before, after, unknown, request_id, hash)
		SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13 WHERE ` + condition + ` ON CONFLICT DO NOTHING`,
		append([]any{e.Seq, e.ID, intent, e.At.UnixMilli(), e.KeyID, e.KeyName, e.Action, e.Object, e.Before, e.After, flag(e.Unknown), e.RequestID, e.Hash}, more...)
}

// accepting returns the statement that appends the entry of a call once WeChat has accepted its
// refund r under refundID. It comes after the statement that stores the acceptance. It returns none if
// the entry is appended elsewhere. The entry describes the refund as it is stored by then.
func accepting(i *order.AuditIntent, r order.Refund, refundID string) []statement {
	if i == nil || !i.Began || i.End == nil || i.AfterRefund == nil || i.Appended != nil {
		return nil
	}
	r.Status, r.RefundID, r.Failure, r.FailureText, r.Stuck = api.RefundProcessing, refundID, "", "", false
	e := i.Entry
	e.After = i.AfterRefund(r)
	e.Seq = i.End.Seq + 1
	e.Hash = e.Sum(i.End.Hash)
	query, args := appendAudit(i.Intent, e, `EXISTS (SELECT 1 FROM refunds WHERE refunds.id = ?14 AND status = 'processing' AND refund_id = ?15 AND from_balance = ?16)`,
		r.ID, refundID, flag(r.FromBalance))
	return []statement{{"appending to the audit list", query + ` RETURNING 1 AS appended`, args, func(*sql.Rows) error {
		i.Appended = &e
		return nil
	}}}
}

// staleOnce is how many intents one RecoverAudit appends.
const staleOnce = 20

// RecoverAudit appends an entry with Unknown for each call that began before a time and has
// not ended. A call of which the list has an entry by now gets no second one.
func (s *Store) RecoverAudit(ctx context.Context, before time.Time) error {
	type stale struct {
		intent string
		entry  order.AuditEntry
	}
	left, err := readAll(ctx, s, "intents", func(rows *sql.Rows) (l stale, err error) {
		var at int64
		e := &l.entry
		err = rows.Scan(&l.intent, &e.ID, &at, &e.KeyID, &e.KeyName, &e.Action, &e.Object, &e.Before, &e.RequestID)
		e.At, e.Unknown = fromMilli(at), true
		return l, err
	}, `SELECT intent, id, at, key_id, key_name, action, object, before, request_id FROM audit_intents WHERE at < ? ORDER BY at LIMIT ?`, before.UnixMilli(), staleOnce)
	if err != nil {
		return err
	}
	for _, l := range left {
		if _, err := s.audit(ctx, l.intent, l.entry, nil, false); err != nil {
			return err
		}
	}
	return nil
}

const auditColumns = `seq, id, at, key_id, key_name, action, object, before, after, unknown, request_id, hash`

// AuditBefore returns at most limit entries before seq, newest first. 0 begins with the
// newest.
func (s *Store) AuditBefore(ctx context.Context, seq int64, limit int) ([]order.AuditEntry, error) {
	if seq == 0 {
		seq = 1 << 52
	}
	return readAll(ctx, s, "the audit list", scanAudit, `SELECT `+auditColumns+` FROM audit WHERE seq < ? ORDER BY seq DESC LIMIT ?`, seq, limit)
}

// AuditFrom returns at most limit entries from seq on, oldest first.
func (s *Store) AuditFrom(ctx context.Context, seq int64, limit int) ([]order.AuditEntry, error) {
	return readAll(ctx, s, "the audit list", scanAudit, `SELECT `+auditColumns+` FROM audit WHERE seq >= ? ORDER BY seq LIMIT ?`, seq, limit)
}

func scanAudit(rows *sql.Rows) (e order.AuditEntry, err error) {
	var at int64
	err = rows.Scan(&e.Seq, &e.ID, &at, &e.KeyID, &e.KeyName, &e.Action, &e.Object, &e.Before, &e.After, &e.Unknown, &e.RequestID, &e.Hash)
	e.At = fromMilli(at)
	return e, err
}
