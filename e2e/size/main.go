// Command size tells what the two WebAssembly binaries weigh and what in them
// weighs it, and fails when one is over its budget, the page with all its files. `make size` runs it in the
// built tree; with files as arguments it looks into those, whatever Go programs
// for js/wasm they are, and knows no budget.
//
// Nothing is sent anywhere: the Worker's upload is wrangler's own figure, of a
// dry run into a folder that is then removed.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"h5pay/internal/cleanup"
	"h5pay/internal/wasmbin"
)

func main() { cleanup.Main(sizes) }

func sizes() int {
	rows := flag.Int("top", 25, "packages to name, of each binary")
	flag.Parse()
	if err := run(os.Stdout, *rows, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "size:", err)
		return 1
	}
	return 0
}

func run(w io.Writer, rows int, files []string) error {
	if len(files) > 0 {
		for _, file := range files {
			if _, err := describe(w, file, rows); err != nil {
				return err
			}
		}
		return nil
	}
	var over []error
	for _, r := range describeAll(rows) {
		if r.err != nil {
			return r.err
		}
		w.Write(r.text.Bytes())
		what, weight := r.file+" in brotli", r.size.brotli
		if r.upload {
			what, weight = "the Worker's upload in gzip", r.uploaded
		}
		if r.around != nil {
			what, weight = r.file+" and all that is around it, in brotli", r.size.brotli+r.others
		}
		fmt.Fprintf(w, "budget: %s is %s of %s\n\n", what, megabytes(weight), megabytes(r.budget))
		if weight > r.budget {
			over = append(over, fmt.Errorf("%s is %d bytes, over its budget of %d; what weighs is listed above, the budgets stand in e2e/size/budget.go",
				what, weight, r.budget))
		}
	}
	return errors.Join(over...)
}

// result is what was found about one of the artifacts.
type result struct {
	artifact
	text     bytes.Buffer
	size     compressed
	uploaded int
	others   int // brotli, of the files around it
	err      error
}

// describeAll looks at all of them at once: brotli takes its time.
func describeAll(rows int) []result {
	results := make([]result, len(artifacts))
	var all sync.WaitGroup
	for i, a := range artifacts {
		all.Go(func() {
			r := &results[i]
			r.artifact = a
			if r.size, r.err = describe(&r.text, a.file, rows); r.err == nil && a.upload {
				r.uploaded, r.err = upload()
			}
			if r.err == nil && a.around != nil {
				r.others, r.err = describeAround(&r.text, a.around)
			}
		})
	}
	all.Wait()
	return results
}

// describe reports on one binary.
func describe(w io.Writer, file string, rows int) (compressed, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return compressed{}, err
	}
	p, err := parse(b)
	if err != nil {
		return compressed{}, fmt.Errorf("%s: %w", file, err)
	}
	all, err := compress(file)
	if err != nil {
		return compressed{}, err
	}
	c := all[0]
	fmt.Fprintf(w, "%s\n%12d raw\n%12d gzip -9\n%12d brotli 11\n\n", file, len(b), c.gzip, c.brotli)
	return c, p.report(w, len(b), rows)
}

// describeAround lists files and returns what they weigh together, in brotli.
func describeAround(w io.Writer, patterns []string) (total int, err error) {
	var files []string
	for _, pattern := range patterns {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return 0, err
		}
		if len(found) == 0 {
			return 0, fmt.Errorf("there is no %s", pattern)
		}
		files = append(files, found...)
	}
	all, err := compress(files...)
	if err != nil {
		return 0, err
	}
	fmt.Fprintf(w, "%12s %12s  around it\n", "gzip -9", "brotli 11")
	for i, c := range all {
		fmt.Fprintf(w, "%12d %12d  %s\n", c.gzip, c.brotli, files[i])
		total += c.brotli
	}
	_, err = fmt.Fprintf(w, "%12s %12d  all of that\n\n", "", total)
	return total, err
}

func parse(b []byte) (*program, error) {
	m, err := wasmbin.Parse(b)
	if err != nil {
		return nil, err
	}
	return readProgram(m)
}

func megabytes(n int) string { return fmt.Sprintf("%.3f MB", float64(n)/1e6) }
