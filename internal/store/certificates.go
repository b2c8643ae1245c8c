package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Certificate is a platform certificate of WeChat's.
type Certificate struct {
	Serial              string // upper-case hex digits
	PEM                 string
	NotBefore, NotAfter time.Time
	FetchedAt           time.Time // when WeChat last had it in its list
}

// maxCertificates is the most certificates that are read. WeChat has about two at a time.
const maxCertificates = 8

// Certificates returns at most 8 platform certificates that have not expired, newest first.
func (s *Store) Certificates(ctx context.Context, now time.Time) ([]Certificate, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT serial, pem, not_before, not_after, fetched_at FROM wechat_certificates
		WHERE not_after > ? ORDER BY not_before DESC, serial LIMIT ?`, now.UnixMilli(), maxCertificates)
	if err != nil {
		return nil, fmt.Errorf("reading the platform certificates: %w", err)
	}
	defer rows.Close()
	var all []Certificate
	for rows.Next() {
		var c Certificate
		var before, after, fetched int64
		if err := rows.Scan(&c.Serial, &c.PEM, &before, &after, &fetched); err != nil {
			return nil, fmt.Errorf("reading a platform certificate: %w", err)
		}
		c.NotBefore, c.NotAfter, c.FetchedAt = fromMilli(before), fromMilli(after), fromMilli(fetched)
		all = append(all, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading the platform certificates: %w", err)
	}
	return all, nil
}

// SaveCertificates stores the certificates that WeChat lists now. It deletes those that
// expired more than keep ago.
func (s *Store) SaveCertificates(ctx context.Context, certificates []Certificate, keep time.Duration, now time.Time) error {
	type row struct {
		Serial    string `json:"serial"`
		PEM       string `json:"pem"`
		NotBefore int64  `json:"not_before"`
		NotAfter  int64  `json:"not_after"`
	}
	rows := make([]row, len(certificates))
	for i, c := range certificates {
		rows[i] = row{c.Serial, c.PEM, c.NotBefore.UnixMilli(), c.NotAfter.UnixMilli()}
	}
	list, err := json.Marshal(rows)
	if err != nil {
		return fmt.Errorf("encoding the platform certificates: %w", err)
	}
	if _, err := s.db.ExecContext(ctx, `INSERT INTO wechat_certificates (serial, pem, not_before, not_after, fetched_at)
		SELECT value ->> 'serial', value ->> 'pem', CAST(value ->> 'not_before' AS INTEGER), CAST(value ->> 'not_after' AS INTEGER), ?2 FROM json_each(?1) WHERE true
		ON CONFLICT (serial) DO UPDATE SET fetched_at = excluded.fetched_at`, string(list), now.UnixMilli()); err != nil {
		return fmt.Errorf("storing the platform certificates: %w", err)
	}
	if _, err := s.db.ExecContext(ctx, `DELETE FROM wechat_certificates WHERE not_after < ?`, now.Add(-keep).UnixMilli()); err != nil {
		return fmt.Errorf("deleting expired platform certificates: %w", err)
	}
	return nil
}

// ClaimCertificates claims the download of the platform certificates. One caller gets
// true, and none until window has passed.
func (s *Store) ClaimCertificates(ctx context.Context, window time.Duration, now time.Time) (bool, error) {
	return s.run(ctx, "claiming the platform certificates", `INSERT INTO timers (name, at) VALUES ('certificates', ?1)
		ON CONFLICT (name) DO UPDATE SET at = excluded.at WHERE timers.at <= ?2`, now.UnixMilli(), now.Add(-window).UnixMilli())
}
