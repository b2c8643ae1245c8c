package postgres_test

import (
	"strings"
	"testing"

	"h5pay/internal/store/postgres"
)

func TestTranslate(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		`SELECT 1 FROM t WHERE a = ? AND b = ?`:                                        `SELECT 1 FROM t WHERE a = $1 AND b = $2`,
		`SELECT '?' WHERE ?2 = ?1 -- ?`:                                                `SELECT '?' WHERE $2 = $1 -- ?`,
		`SELECT a AS "order" FROM t`:                                                   `SELECT a AS "order" FROM t`,
		`SELECT 'it''s ?', ?`:                                                          `SELECT 'it''s ?', $1`,
		`SELECT CASE WHEN ?1 IS NULL THEN 1 END`:                                       `SELECT CASE WHEN $1::text IS NULL THEN 1 END`,
		`SELECT 1 FROM t INDEXED BY i WHERE a = 1`:                                     `SELECT 1 FROM t WHERE a = 1`,
		`SELECT 1 FROM t WHERE +a = 1 AND +t.b <> 2 AND c + d = 3`:                     `SELECT 1 FROM t WHERE a = 1 AND t.b <> 2 AND c + d = 3`,
		`SELECT IIF(a = 1, 'x', IIF(b, MAX(c), 'z')) FROM t`:                           `SELECT CASE WHEN a = 1 THEN 'x' ELSE CASE WHEN b THEN MAX(c) ELSE 'z' END END FROM t`,
		`SELECT MAX(a, MIN(b, ?)), MAX(c), COUNT(*)`:                                   `SELECT GREATEST(a, LEAST(b, $1)), MAX(c), COUNT(*)`,
		`SELECT 1 FROM t WHERE a IS ? AND b IS NOT NULL AND c IS NOT d`:                `SELECT 1 FROM t WHERE a IS NOT DISTINCT FROM $1 AND b IS NOT NULL AND c IS DISTINCT FROM d`,
		`SELECT 1 FROM t WHERE a = 1 AND (b = 'x') = 0`:                                `SELECT 1 FROM t WHERE a = 1 AND (CASE WHEN b = 'x' THEN 1 ELSE 0 END) = 0`,
		`SELECT (a IS NULL) = (b IS NULL)`:                                             `SELECT (a IS NULL) = (b IS NULL)`,
		`SELECT 1 FROM t WHERE a <> EXISTS (SELECT 1 FROM u)`:                          `SELECT 1 FROM t WHERE a <> (CASE WHEN EXISTS (SELECT 1 FROM u) THEN 1 ELSE 0 END)`,
		`SELECT COUNT(*) FROM (SELECT 1 FROM t LIMIT ?)`:                               `SELECT COUNT(*) FROM (SELECT 1 FROM t LIMIT $1) AS sub1`,
		`SELECT 1 FROM (SELECT 1) AS a JOIN (SELECT 2 AS b) ON b = 2`:                  `SELECT 1 FROM (SELECT 1) AS a JOIN (SELECT 2 AS b) AS sub1 ON b = 2`,
		`SELECT 1 FROM a CROSS JOIN b ON a.x = b.x`:                                    `SELECT 1 FROM a JOIN b ON a.x = b.x`,
		`SELECT 1 FROM t WHERE id IN (SELECT value FROM json_each(?))`:                 `SELECT 1 FROM t WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text(($1)::jsonb)))`,
		`DELETE FROM t WHERE id IN (SELECT id FROM t ORDER BY a LIMIT ?)`:              `DELETE FROM t WHERE id = ANY (ARRAY(SELECT id FROM t ORDER BY a LIMIT $1))`,
		`SELECT 1 FROM t WHERE a IN (SELECT a FROM u) AND b NOT IN (SELECT 1 LIMIT 1)`: `SELECT 1 FROM t WHERE a IN (SELECT a FROM u) AND b NOT IN (SELECT 1 LIMIT 1)`,
		`SELECT CAST(value ->> 'n' AS INTEGER) FROM json_each(?)`:                      `SELECT ((value)::jsonb ->> 'n')::bigint FROM h5pay_each($1)`,
		`SELECT json_group_array(json_object('a', a, 'b', json(b))) FROM t`:            `SELECT COALESCE(jsonb_agg(jsonb_build_object('a', a, 'b', (b)::jsonb)), '[]') FROM t`,
		`SELECT json_extract(d, '$.a.b') FROM t`:                                       `SELECT ((d)::jsonb #>> '{a,b}') FROM t`,
		`UPDATE t SET d = json_set(d, '$.a', n, '$.b', NULL)`:                          `UPDATE t SET d = jsonb_set(jsonb_set((d)::jsonb, '{a}', COALESCE(to_jsonb(n), 'null')), '{b}', 'null')`,
		`SELECT strftime('%Y-%m-%d', a / 1000, 'unixepoch', '+8 hours') FROM t`:        `SELECT to_char(to_timestamp(a / 1000) AT TIME ZONE 'UTC' + interval '8 hours', 'YYYY-MM-DD') FROM t`,
	} {
		if got, err := postgres.Translate(sql); err != nil || got != want {
			t.Errorf("%s:\n got %s, %v\nwant %s", sql, got, err, want)
		}
	}
}

// A reader of events by position does not pass one that is not committed yet.
func TestTranslateReadsEventsInOrder(t *testing.T) {
	t.Parallel()
	got, err := postgres.Translate(`SELECT seq FROM events WHERE seq > ?1 ORDER BY seq`)
	if err != nil || !strings.Contains(got, "seq > $1 AND (txid < pg_snapshot_xmin(") {
		t.Errorf("%s, %v", got, err)
	}
	other, err := postgres.Translate(`SELECT 1 FROM events WHERE other.seq > events.seq`)
	if err != nil || strings.Contains(other, "txid") {
		t.Errorf("%s, %v", other, err)
	}
}

// The translation of SQL that would mean something else in PostgreSQL is an error, and never a
// guess.
func TestTranslateRejects(t *testing.T) {
	t.Parallel()
	for _, sql := range []string{
		`SELECT "a FROM t`, `SELECT [a] FROM t`, `SELECT 'a`, `SELECT (1`, `SELECT /* a */ 1`,
		`SELECT CAST(a AS REAL)`, `SELECT IIF(a, b)`, `SELECT strftime('%s', a)`, `SELECT json_extract(a, '$.b[0]')`, `SELECT json_set(a, '$.b')`,
		`CREATE TABLE t (a REAL NOT NULL) STRICT`,
	} {
		if got, err := postgres.Translate(sql); err == nil {
			t.Errorf("%s became %s", sql, got)
		}
	}
}

func FuzzTranslate(f *testing.F) {
	f.Add(`SELECT IIF(a, ?1, '(') FROM (SELECT 1) WHERE +a IS NOT b`)
	f.Add(`CREATE TABLE t (a INTEGER NOT NULL, b TEXT) STRICT`)
	f.Fuzz(func(t *testing.T, sql string) {
		postgres.Translate(sql) // does not panic and ends
	})
}
