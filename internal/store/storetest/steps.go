package storetest

import (
	"database/sql"
	"database/sql/driver"
	"path/filepath"
	"testing"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// Snapshot copies a database and returns the file.
func Snapshot(t testing.TB, db *sql.DB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "copy.db")
	Exec(t, db, `VACUUM INTO ?`, file)
	return file
}

// Steps runs statements in order on the database of a file. For each it returns how many steps
// SQLite's virtual machine makes, triggers included. The number repeats exactly and grows with the
// rows that a statement reads. The file does not change.
func Steps(t testing.TB, file string, statements []Statement) []int {
	t.Helper()
	tls := libc.NewTLS()
	defer tls.Close()
	text := func(s string) uintptr {
		p, err := libc.CString(s)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	pointer := libc.Xcalloc(tls, 1, 8)
	defer libc.Xfree(tls, pointer)
	at := func() uintptr { return *(*uintptr)(unsafe.Add(unsafe.Pointer(nil), pointer)) } //nolint:govet // memory of libc's
	name := text(file)
	defer libc.Xfree(tls, name)
	if rc := sqlite3.Xsqlite3_open_v2(tls, name, pointer, sqlite3.SQLITE_OPEN_READWRITE, 0); rc != sqlite3.SQLITE_OK {
		t.Fatalf("opening a copy of the database: %d", rc)
	}
	handle := at()
	defer sqlite3.Xsqlite3_close(tls, handle)
	begin := text("BEGIN") // never committed
	defer libc.Xfree(tls, begin)
	if rc := sqlite3.Xsqlite3_exec(tls, handle, begin, 0, 0, 0); rc != sqlite3.SQLITE_OK {
		t.Fatalf("beginning a transaction: %d", rc)
	}
	var all []int
	for _, s := range statements {
		query := text(s.SQL)
		if rc := sqlite3.Xsqlite3_prepare_v2(tls, handle, query, -1, pointer, 0); rc != sqlite3.SQLITE_OK {
			t.Fatalf("preparing %s: %s", s.SQL, libc.GoString(sqlite3.Xsqlite3_errmsg(tls, handle)))
		}
		statement := at()
		values := bind(t, tls, statement, s.Args, text)
		rc := sqlite3.Xsqlite3_step(tls, statement)
		for rc == sqlite3.SQLITE_ROW {
			rc = sqlite3.Xsqlite3_step(tls, statement)
		}
		if rc != sqlite3.SQLITE_DONE {
			t.Fatalf("running %s: %s", s.SQL, libc.GoString(sqlite3.Xsqlite3_errmsg(tls, handle)))
		}
		all = append(all, int(sqlite3.Xsqlite3_stmt_status(tls, statement, sqlite3.SQLITE_STMTSTATUS_VM_STEP, 1)))
		sqlite3.Xsqlite3_finalize(tls, statement)
		for _, p := range append(values, query) {
			libc.Xfree(tls, p)
		}
	}
	return all
}

// bind sets the arguments of a statement and returns the memory to free after it.
func bind(t testing.TB, tls *libc.TLS, statement uintptr, args []driver.NamedValue, text func(string) uintptr) (values []uintptr) {
	t.Helper()
	for _, arg := range args {
		i, rc := int32(arg.Ordinal), int32(sqlite3.SQLITE_OK)
		switch v := arg.Value.(type) {
		case nil:
			rc = sqlite3.Xsqlite3_bind_null(tls, statement, i)
		case int64:
			rc = sqlite3.Xsqlite3_bind_int64(tls, statement, i, v)
		case float64:
			rc = sqlite3.Xsqlite3_bind_double(tls, statement, i, v)
		case string:
			p := text(v)
			values = append(values, p)
			rc = sqlite3.Xsqlite3_bind_text(tls, statement, i, p, int32(len(v)), 0)
		default:
			t.Fatalf("an argument is a %T", v)
		}
		if rc != sqlite3.SQLITE_OK {
			t.Fatalf("binding argument %d: %d", i, rc)
		}
	}
	return values
}
