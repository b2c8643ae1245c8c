package campaign

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// read queries the database directly, without injected failures. The statement's columns are the
// fields of Row, in JSON. After a death of the database it repeats the statement, so the statement
// must be idempotent.
func read[Row any](w *World, statement string, args ...any) ([]Row, error) {
	for range tries {
		w.Await()
		text, err := w.Query(statement, args...)
		if errors.Is(err, ErrNoResponse) {
			time.Sleep(50 * time.Millisecond) // until its end is noticed
			continue
		}
		var rows []Row
		if err == nil {
			if err = json.Unmarshal(text, &rows); err != nil {
				err = fmt.Errorf("reading the database: %w: %.300s", err, text)
			}
		}
		return rows, err
	}
	return nil, fmt.Errorf("reading the database: %w", ErrNoResponse)
}

// numbersOf returns the out_trade_no of every payment of an order: first of the one that pays it,
// then of the others, the newest first.
func (w *World) numbersOf(id string) []string {
	if id == "" {
		return nil
	}
	rows, err := read[struct {
		Number string
	}](w, `SELECT COALESCE(out_trade_no, '') AS number FROM orders LEFT JOIN payments ON order_id = orders.id
		WHERE orders.id = ? ORDER BY IIF(out_trade_no = paid_by, 1, 0) DESC, payments.created_at DESC, out_trade_no`, id)
	if err != nil || len(rows) == 0 {
		w.Note(Lost, id, "a buyer received the order, which is not stored: %v", err)
		return nil
	}
	var all []string
	for _, r := range rows {
		if r.Number != "" {
			all = append(all, r.Number)
		}
	}
	return all
}
