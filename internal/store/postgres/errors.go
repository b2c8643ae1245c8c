package postgres

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Codes of PostgreSQL's errors.
const (
	serializationFailure = "40001"
	deadlock             = "40P01"
	lockTimeout          = "55P03"
	uniqueViolation      = "23505"
	undefinedStatement   = "26000" // a proxy gave the connection another server, or the statement was deallocated
	changedPlan          = "0A000" // of a prepared statement, after a change of the schema; also all that PostgreSQL does not support
	failedTransaction    = "25P02" // an earlier statement failed, and the transaction was not rolled back
	noDatabase           = "3D000"
	wrongPassword        = "28P01"
	notAllowed           = "28000"
	noRight              = "42501"
	noTable              = "42P01"
	tableExists          = "42P07"
	tooMany              = "53300"
	diskFull             = "53100"
	readOnly             = "25006"
	shuttingDown         = "57P01"
	crashShutdown        = "57P02"
	startingUp           = "57P03"
)

// codeOf returns the code of an error of PostgreSQL's, "" of another error.
func codeOf(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// advice is what the operator can do about an error, by its code.
var advice = map[string]string{
	noDatabase:    "make the database first: createdb -O USER NAME",
	wrongPassword: "check the user and the password in DATABASE_URL",
	notAllowed:    "let the user connect: pg_hba.conf of PostgreSQL says who may",
	noRight:       "give the user of DATABASE_URL the rights: make it the owner of the database and of its tables",
	noTable:       "run h5pay migrate",
	tableExists:   "the database has tables of another program: name an empty database in DATABASE_URL",
	tooMany:       "raise max_connections of PostgreSQL, or lower pool_max_conns in DATABASE_URL",
	diskFull:      "free space on the disk of PostgreSQL",
	readOnly:      "name the primary server in DATABASE_URL: this one takes no changes",
}

// explain adds the advice to an error. The texts of PostgreSQL have no password and no value of a
// row. The detail, which has values, is left out.
func explain(err error) error {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		if what := advice[e.Code]; what != "" {
			return fmt.Errorf("%w: %s", err, what)
		}
		return err
	}
	if connecting := (*pgconn.ConnectError)(nil); errors.As(err, &connecting) {
		what := "start PostgreSQL there, or correct the host and the port in DATABASE_URL"
		if strings.Contains(err.Error(), "tls error") {
			what = "let PostgreSQL offer TLS with a certificate that this machine trusts. In a private network sslmode=disable in DATABASE_URL does without"
		}
		return fmt.Errorf("%w: %s", err, what)
	}
	return err
}

// oneLine is an error of a connection whose text has one line, with the last try at each host.
type oneLine struct{ error }

func (e oneLine) Unwrap() error { return e.error }

func (e oneLine) Error() string {
	first, rest, more := strings.Cut(e.error.Error(), "\n\t")
	if !more {
		return first
	}
	var tries []string
	host := ""
	for line := range strings.SplitSeq(rest, "\n\t") {
		of, _, _ := strings.Cut(line, ": ")
		if of == host {
			tries = tries[:len(tries)-1]
		}
		tries, host = append(tries, line), of
	}
	return first + " " + strings.Join(tries, "; ")
}
