// Package store keeps the shop's orders, payments, refunds and events over database/sql, each
// table in a file of its own.
//
// The same SQL runs on D1, on SQLite and, translated by package postgres, on PostgreSQL. Every
// change is one conditional statement, because D1 offers no transactions through
// database/sql. The triggers of migrations/ continue some of them inside the statement.
package store

import (
	"database/sql"
	"errors"
)

// Store keeps products and orders in a database with the schema of
// migrations/. It is safe for concurrent use.
type Store struct {
	Bounds Bounds // of new orders; set before the first use

	db counted
}

// New returns a store over db: D1 in the Worker, SQLite or PostgreSQL elsewhere.
func New(db *sql.DB) *Store { return &Store{Bounds: DefaultBounds(), db: counted{db}} }

// ErrNotFound means that the row does not exist, or that the order is of another owner.
var ErrNotFound = errors.New("not found in the database")
