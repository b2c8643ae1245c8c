package sqlite_test

import (
	"bufio"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	modernc "modernc.org/sqlite"

	"h5pay/internal/cleanup"
	"h5pay/internal/store"
	"h5pay/internal/store/sqlite"
)

const crashFile = "H5PAY_TEST_CRASH_FILE" // the environment of a process that is to be killed

func TestMain(m *testing.M) {
	modernc.MustRegisterScalarFunction("panics", 0, func(*modernc.FunctionContext, []driver.Value) (driver.Value, error) {
		panic("of a test")
	})
	if file := os.Getenv(crashFile); file != "" {
		insertUntilKilled(file)
		return
	}
	cleanup.Main(m.Run)
}

const settings = "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)"

// shared opens a new file with a table.
func shared(t *testing.T) (*sql.DB, *sqlite.Connector) {
	t.Helper()
	c := sqlite.NewConnector(store.SQLiteURI(filepath.Join(t.TempDir(), "test.db"), settings))
	db := sql.OpenDB(c)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	change(t, db, `CREATE TABLE numbers (n INTEGER PRIMARY KEY, parent INTEGER REFERENCES numbers (n) DEFERRABLE INITIALLY DEFERRED) STRICT`)
	change(t, db, `CREATE TRIGGER reject BEFORE INSERT ON numbers WHEN NEW.n = 13 BEGIN SELECT RAISE(ABORT, 'thirteen'); END`)
	change(t, db, `CREATE TRIGGER end_all BEFORE INSERT ON numbers WHEN NEW.n = 66 BEGIN SELECT RAISE(ROLLBACK, 'sixty-six'); END`)
	return db, c
}

// batch is the argument of a query with several statements.
type batch [][]any

func (b batch) Batch() (queries []string, args [][]any) {
	for _, st := range b {
		queries, args = append(queries, st[0].(string)), append(args, st[1:])
	}
	return queries, args
}

const insert = `INSERT INTO numbers (n, parent) VALUES (?1, ?2)`

// together runs calls so that all are in one group: they wait for a transaction that another caller
// has open. It returns their errors.
func together(t *testing.T, db *sql.DB, c *sqlite.Connector, calls ...func() error) []error {
	t.Helper()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	errs := make([]error, len(calls))
	var wg sync.WaitGroup
	for i, call := range calls {
		wg.Go(func() { errs[i] = call() })
		for c.Waiting() != i+1 {
			runtime.Gosched()
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	return errs
}

func inserting(db *sql.DB, n int, parent any) func() error {
	return func() error { _, err := db.Exec(insert, n, parent); return err }
}

// insertTogether stores n numbers by as many calls, which wait at the same time.
func insertTogether(t *testing.T, db *sql.DB, c *sqlite.Connector, n int) {
	t.Helper()
	var calls []func() error
	for i := range n {
		calls = append(calls, inserting(db, 100+i, nil))
	}
	for _, err := range together(t, db, c, calls...) {
		if err != nil {
			t.Error(err)
		}
	}
	if got := numbers(t, db, `SELECT COUNT(*) FROM numbers`); got[0] != n {
		t.Errorf("%d numbers, want %d", got[0], n)
	}
}

func TestCallsThatWaitAreOneTransaction(t *testing.T) {
	t.Parallel()
	db, c := shared(t)
	c.SetGroupTime(time.Hour)
	before := c.Groups()
	insertTogether(t, db, c, 40)
	if n := c.Groups() - before; n != 1 {
		t.Errorf("%d transactions for 40 calls", n)
	}
	// A call that waits for nobody needs no group.
	if err := inserting(db, 1, nil)(); err != nil || c.Groups() != before+1 {
		t.Error(c.Groups()-before, err)
	}
}

// A group has a bound, and the calls beyond it are in the next one.
func TestGroupIsBounded(t *testing.T) {
	t.Parallel()
	db, c := shared(t)
	before := c.Groups()
	insertTogether(t, db, c, 150)
	if n := c.Groups() - before; n < 3 {
		t.Errorf("%d transactions for 150 calls", n)
	}
}

// The error of one call changes nothing of the others in its group, and leaves nothing of itself.
func TestErrorOfOneCallLeavesTheOthers(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]func(db *sql.DB) error{
		"constraint":           func(db *sql.DB) error { return inserting(db, 1, nil)() },
		"trigger":              func(db *sql.DB) error { return inserting(db, 13, nil)() },
		"trigger that ends it": func(db *sql.DB) error { return inserting(db, 66, nil)() },
		"returning": func(db *sql.DB) error {
			var n int
			return db.QueryRow(`INSERT INTO numbers (n) VALUES (51), (13) RETURNING n`).Scan(&n)
		},
		"batch": func(db *sql.DB) error {
			rows, err := db.Query("", batch{{insert, 51, nil}, {insert, 1, nil}})
			if err == nil {
				rows.Close()
			}
			return err
		},
		"batch that ends it": func(db *sql.DB) error {
			rows, err := db.Query("", batch{{insert, 51, nil}, {insert, 66, nil}})
			if err == nil {
				rows.Close()
			}
			return err
		},
		"syntax": func(db *sql.DB) error { _, err := db.Exec(`INSERT INTO nowhere VALUES (1)`); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, c := shared(t)
			change(t, db, insert, 1, nil)
			several := func() error {
				rows, err := db.Query("", batch{{insert, 7, nil}, {insert + ` RETURNING n`, 8, nil}, {`SELECT COUNT(*) FROM numbers WHERE n IN (7, 8)`}})
				if err != nil {
					return err
				}
				defer rows.Close()
				var got []int
				for more := true; more; more = rows.NextResultSet() {
					for rows.Next() {
						var n int
						if err := rows.Scan(&n); err != nil {
							return err
						}
						got = append(got, n)
					}
				}
				if fmt.Sprint(got) != "[8 2]" {
					return fmt.Errorf("the batch returned %v", got)
				}
				return rows.Err()
			}
			errs := together(t, db, c, inserting(db, 2, nil), several, func() error { return bad(db) }, inserting(db, 3, nil), inserting(db, 4, 3))
			for i, err := range errs {
				if (err != nil) != (i == 2) {
					t.Errorf("call %d: %v", i, err)
				}
			}
			if got := numbers(t, db, `SELECT n FROM numbers ORDER BY n`); fmt.Sprint(got) != "[1 2 3 4 7 8]" {
				t.Errorf("%v", got)
			}
		})
	}
}

// If the commit fails, every call of the group fails, and none of them is stored.
func TestFailedCommitFailsTheGroup(t *testing.T) {
	t.Parallel()
	db, c := shared(t)
	errs := together(t, db, c, inserting(db, 1, nil), inserting(db, 2, 999), inserting(db, 3, nil))
	for i, err := range errs {
		if err == nil || !strings.Contains(err.Error(), "committing") {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if n := numbers(t, db, `SELECT COUNT(*) FROM numbers`); n[0] != 0 {
		t.Errorf("%d numbers", n[0])
	}
	if err := inserting(db, 1, nil)(); err != nil {
		t.Error(err)
	}
}

// SQLite panics in a group. Every call of the group fails, and none stores a row. Later calls run.
func TestPanicFailsItsGroupAlone(t *testing.T) {
	t.Parallel()
	panicking := func(db *sql.DB) error {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := db.ExecContext(ctx, `INSERT INTO numbers (n) VALUES (51), (panics())`)
		return err
	}
	db, c := shared(t)
	if err := panicking(db); err == nil || !strings.Contains(err.Error(), "a panic: of a test") {
		t.Errorf("the error is %v", err)
	}
	errs := together(t, db, c, inserting(db, 1, nil), func() error { return panicking(db) }, inserting(db, 2, nil))
	if errs[0] == nil || errs[1] == nil || errs[2] != nil {
		t.Error(errors.Join(errs...))
	}
	for n := range 3 {
		if err := inserting(db, 10+n, nil)(); err != nil {
			t.Error(err)
		}
	}
	if got := numbers(t, db, `SELECT n FROM numbers ORDER BY n`); fmt.Sprint(got) != "[2 10 11 12]" {
		t.Errorf("%v", got)
	}
}

// A call whose context ends before a group takes it changes nothing. The others of the queue run.
func TestContextEndsWhileACallWaits(t *testing.T) {
	t.Parallel()
	db, c := shared(t)
	ctx, cancel := context.WithCancel(t.Context())
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wait := func(calls int) {
		for c.Waiting() != calls {
			runtime.Gosched()
		}
	}
	wg.Go(func() { change(t, db, insert, 1, nil) })
	wait(1)
	withdrawn := make(chan error)
	go func() {
		_, err := db.ExecContext(ctx, insert, 2, nil)
		withdrawn <- err
	}()
	wait(2)
	wg.Go(func() { change(t, db, insert, 3, nil) })
	wait(3)
	cancel()
	if err := <-withdrawn; !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	wait(2)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if _, err := db.ExecContext(ctx, insert, 4, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	if got := numbers(t, db, `SELECT n FROM numbers ORDER BY n`); fmt.Sprint(got) != "[1 3]" {
		t.Errorf("%v", got)
	}
}

// A call whose context ends after a group has taken it completes. Its error says whether it changed
// something.
func TestContextEndsWhileACallRuns(t *testing.T) {
	t.Parallel()
	db, c := shared(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wait := func(calls int) {
		for c.Waiting() != calls {
			runtime.Gosched()
		}
	}
	errs := make([]error, 5)
	for i := range errs {
		wg.Go(func() { _, errs[i] = db.ExecContext(ctx, insert, i, nil) })
		wait(i + 1)
	}
	// The last call keeps the group at work.
	wg.Go(func() {
		change(t, db, `INSERT INTO numbers (n) WITH RECURSIVE up (n) AS (SELECT 100 UNION ALL SELECT n + 1 FROM up WHERE n < 300000) SELECT MAX(n) FROM up`)
	})
	wait(len(errs) + 1)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	wait(0)
	cancel()
	wg.Wait()
	for i, err := range errs {
		if stored := numbers(t, db, fmt.Sprint(`SELECT COUNT(*) FROM numbers WHERE n = `, i))[0] == 1; stored != (err == nil) {
			t.Errorf("call %d: stored: %t, and the error is %v", i, stored, err)
		}
	}
}

// Readers see what is committed, and wait for no writer. A caller reads what it has changed.
func TestReadersSeeWhatIsCommitted(t *testing.T) {
	t.Parallel()
	db, _ := shared(t)
	change(t, db, insert, 1, nil)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	change(t, tx, insert, 2, nil)
	if got := numbers(t, tx, `SELECT n FROM numbers ORDER BY n`); fmt.Sprint(got) != "[1 2]" {
		t.Errorf("the transaction sees %v", got)
	}
	if got := numbers(t, db, `SELECT n FROM numbers ORDER BY n`); fmt.Sprint(got) != "[1]" {
		t.Errorf("others see %v", got)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for caller := range 8 {
		wg.Go(func() {
			for i := range 20 {
				n := 1000*(caller+1) + i
				change(t, db, insert, n, nil)
				if got := numbers(t, db, `SELECT n FROM numbers WHERE n = ?1`, n); len(got) != 1 {
					t.Errorf("%d is not there", n)
				}
			}
		})
	}
	wg.Wait()
}

// A batch of reads sees the data of one moment.
func TestBatchReadsOneMoment(t *testing.T) {
	t.Parallel()
	db, _ := shared(t)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 1; ; n++ {
			select {
			case <-done:
				return
			default:
				change(t, db, insert, 100+n, nil)
			}
		}
	})
	for range 100 {
		count := `SELECT COUNT(*) FROM numbers`
		rows, err := db.Query("", batch{{count}, {`SELECT n FROM numbers`}, {count}})
		if err != nil {
			t.Fatal(err)
		}
		var first, last int
		for set := 0; ; set++ {
			for rows.Next() {
				if err := rows.Scan(&last); err != nil {
					t.Fatal(err)
				}
				if set == 0 {
					first = last
				}
			}
			if !rows.NextResultSet() {
				break
			}
		}
		if err := rows.Close(); err != nil || first != last {
			t.Fatal(first, last, err)
		}
	}
	close(done)
	wg.Wait()
}

// The settings of the database are those of the connection that writes.
func TestSettingsAreThoseOfTheWriter(t *testing.T) {
	t.Parallel()
	db, _ := shared(t)
	change(t, db, `PRAGMA max_page_count = 1234`)
	if got := numbers(t, db, `SELECT max_page_count FROM pragma_max_page_count`); fmt.Sprint(got) != "[1234]" {
		t.Errorf("%v", got)
	}
}

// A statement that is taken for a read, but changes rows, is rejected.
func TestReaderChangesNothing(t *testing.T) {
	t.Parallel()
	db, _ := shared(t)
	change(t, db, insert, 1, nil)
	if _, err := db.Exec(`WITH one AS (SELECT 1) REPLACE INTO numbers (n) SELECT 2`); err == nil {
		t.Error("a reader wrote")
	}
	change(t, db, `WITH five AS (SELECT 5 AS n) INSERT INTO numbers (n) SELECT n FROM five`)
	change(t, db, `-- a comment
		DELETE FROM numbers WHERE n = 1`)
	change(t, db, `REPLACE INTO numbers (n) VALUES (6)`)
	if got := numbers(t, db, `WITH all_of_them AS (SELECT n FROM numbers) SELECT n FROM all_of_them ORDER BY n`); fmt.Sprint(got) != "[5 6]" {
		t.Errorf("%v", got)
	}
}

func TestCloseEndsEveryCall(t *testing.T) {
	t.Parallel()
	db, c := shared(t)
	rows, err := db.Query(`SELECT 1 UNION ALL SELECT 2`) // keeps a reader
	if err != nil || !rows.Next() {
		t.Fatal(err)
	}
	if err := errors.Join(db.Close(), rows.Close(), c.Close()); err != nil {
		t.Error(err)
	}
	if _, err := c.Connect(t.Context()); err == nil {
		t.Error("a closed database opens")
	}
}

// insertUntilKilled inserts from many goroutines, and prints each number when its call has returned.
func insertUntilKilled(file string) {
	db := sql.OpenDB(sqlite.NewConnector(store.SQLiteURI(file, settings)))
	var mu sync.Mutex
	for caller := range 16 {
		go func() {
			for i := 0; ; i++ {
				n := caller*1_000_000 + i
				var err error
				if i%2 == 0 {
					_, err = db.Exec(`INSERT INTO numbers (n) VALUES (?1)`, n)
				} else {
					var rows *sql.Rows
					if rows, err = db.Query("", batch{{`INSERT INTO numbers (n) VALUES (?1)`, n}, {`INSERT INTO numbers (n) VALUES (?1)`, -n}}); err == nil {
						err = rows.Close()
					}
				}
				if err != nil {
					panic(err)
				}
				mu.Lock()
				fmt.Println(n)
				mu.Unlock()
			}
		}()
	}
	select {}
}

// A process that is killed at any moment has stored everything that it acknowledged, and no half of
// a batch.
func TestKilledProcessKeepsWhatItAcknowledged(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for round := range 4 {
		file := filepath.Join(t.TempDir(), "test.db")
		db := sql.OpenDB(sqlite.NewConnector(store.SQLiteURI(file, settings)))
		change(t, db, `CREATE TABLE numbers (n INTEGER PRIMARY KEY) STRICT`)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		child := exec.Command(program)
		child.Env = append(os.Environ(), crashFile+"="+file)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		var acknowledged []int
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var n int
			if _, err := fmt.Sscan(lines.Text(), &n); err == nil {
				acknowledged = append(acknowledged, n)
			}
			if len(acknowledged) == 300+77*round {
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		child.Wait()
		db = sql.OpenDB(sqlite.NewConnector(store.SQLiteURI(file, settings)))
		there := map[int]bool{}
		for _, n := range numbers(t, db, `SELECT n FROM numbers`) {
			there[n] = true
		}
		for _, n := range acknowledged {
			if !there[n] || n%2 != 0 && !there[-n] {
				t.Errorf("%d was acknowledged and is not there", n)
			}
		}
		for n := range there {
			if n%2 != 0 && !there[-n] {
				t.Errorf("half of the batch of %d is there", n)
			}
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// BenchmarkConcurrentInserts compares one connection with groups, at a disk that is waited for.
func BenchmarkConcurrentInserts(b *testing.B) {
	for _, grouped := range []bool{false, true} {
		b.Run(fmt.Sprintf("groups %v", grouped), func(b *testing.B) {
			source := store.SQLiteURI(filepath.Join(b.TempDir(), "test.db"), settings)
			db := sql.OpenDB(sqlite.NewConnector(source))
			if !grouped {
				var err error
				if db, err = sql.Open(sqlite.Name, source); err != nil {
					b.Fatal(err)
				}
				db.SetMaxOpenConns(1)
			}
			defer db.Close()
			change(b, db, `CREATE TABLE numbers (n INTEGER PRIMARY KEY, at INTEGER) STRICT`)
			b.SetParallelism(16)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					change(b, db, `INSERT INTO numbers (at) VALUES (?1)`, time.Now().UnixMilli())
				}
			})
		})
	}
}

// change runs a statement that succeeds.
func change(tb testing.TB, db queryer, query string, args ...any) {
	tb.Helper()
	if _, err := db.Exec(query, args...); err != nil {
		tb.Errorf("%s: %v", query, err)
	}
}
