package paytest

import (
	"database/sql"
	"encoding/json"
)

// Objects returns the rows as a JSON list of objects.
func Objects(rows *sql.Rows) (json.RawMessage, error) {
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	all := []map[string]any{}
	for rows.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		row := map[string]any{}
		for i, name := range names {
			row[name] = values[i]
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}

// ReadRows runs a query and decodes its rows by the names of the columns.
func ReadRows[Row any](db *sql.DB, query string) ([]Row, error) {
	rows, err := db.Query(query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	text, err := Objects(rows)
	if err != nil {
		return nil, err
	}
	var all []Row
	return all, json.Unmarshal(text, &all)
}
