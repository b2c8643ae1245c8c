package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"slices"
)

// row is a line of the report. Compressed by itself a part comes out larger
// than its share of the whole, so the column adds up to more than the file.
type row struct {
	what      string
	raw, gzip int
}

// report lists the code by package and the data by kind, heaviest first.
func (p *program) report(w io.Writer, size, rows int) error {
	packages := map[string][]byte{}
	for _, f := range p.funcs {
		packages[f.pkg] = append(packages[f.pkg], f.code...)
	}
	var code, data []row
	for pkg, b := range packages {
		code = append(code, newRow(pkg, b))
	}
	for _, r := range p.regions {
		data = append(data, newRow(r.what, r.bytes))
	}
	slices.SortFunc(code, func(a, b row) int {
		return cmp.Or(b.gzip-a.gzip, cmp.Compare(a.what, b.what))
	})
	counted := sum("", code).raw + sum("", data).raw
	if len(code) > rows {
		rest := sum(fmt.Sprintf("the other %d packages", len(code)-rows), code[rows:])
		code = append(code[:rows:rows], rest)
	}
	fmt.Fprintf(w, "%12s %12s  code by package; what the compiler inlines counts where it ends up\n", "raw", "gzip alone")
	for _, r := range append(code, sum("all code", code)) {
		fmt.Fprintf(w, "%12d %12d  %s\n", r.raw, r.gzip, r.what)
	}
	fmt.Fprintf(w, "\n%12s %12s  data; long runs of zeroes are not stored\n", "raw", "gzip alone")
	for _, r := range append(data, sum("all data", data)) {
		fmt.Fprintf(w, "%12d %12d  %s\n", r.raw, r.gzip, r.what)
	}
	_, err := fmt.Fprintf(w, "%12d %12s  the rest: addresses and lengths of all this, types of functions\n\n", size-counted, "")
	return err
}

func newRow(what string, b []byte) row {
	var z bytes.Buffer
	zw := gzip.NewWriter(&z)
	zw.Write(b) // a bytes.Buffer takes everything
	zw.Close()
	return row{what, len(b), z.Len()}
}

func sum(what string, rows []row) row {
	total := row{what: what}
	for _, r := range rows {
		total.raw += r.raw
		total.gzip += r.gzip
	}
	return total
}
