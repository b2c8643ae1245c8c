// Package sheet writes tables that Excel and WPS open: CSV in UTF-8 with a byte order mark.
package sheet

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"

	"h5pay/internal/alphabet"
	"h5pay/internal/fen"
)

// Writer writes the rows of a table.
type Writer struct{ csv *csv.Writer }

// New returns a writer of a table, which begins with the names of its columns. Errors come with
// Flush.
func New(w io.Writer, head []string) *Writer {
	io.WriteString(w, "\ufeff")
	t := &Writer{csv.NewWriter(w)}
	t.csv.UseCRLF = true
	t.csv.Write(head)
	return t
}

// Write writes a row. No cell is interpreted by a spreadsheet.
func (t *Writer) Write(row []string) {
	cells := make([]string, len(row))
	for i, text := range row {
		cells[i] = cell(text)
	}
	t.csv.Write(cells)
}

// Flush writes what is left, and returns the first error of the table.
func (t *Writer) Flush() error {
	t.csv.Flush()
	if err := t.csv.Error(); err != nil {
		return fmt.Errorf("writing a table: %w", err)
	}
	return nil
}

// Table returns a whole table.
func Table(head []string, rows [][]string) (string, error) {
	var b strings.Builder
	t := New(&b, head)
	for _, row := range rows {
		t.Write(row)
	}
	err := t.Flush()
	return b.String(), err
}

// cell returns text that a spreadsheet does not interpret. A product's name may look like a
// formula, and the last digits of a long number would be rounded.
func cell(s string) string {
	switch {
	case s == "", isNegative(s):
		return s
	case strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(s)[0]):
		return "'" + s
	case alphabet.Digits.Valid(s, 16, len(s)):
		return "\t" + s
	}
	return s
}

// isNegative reports whether s is a negative amount, which begins like a formula.
func isNegative(s string) bool {
	amount, negative := strings.CutPrefix(s, "-")
	_, ok := fen.ParseYuan(amount)
	return negative && ok
}
