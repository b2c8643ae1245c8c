// Command size prints the sizes of the Worker and of the page, and fails when one
// is over its limit. `make size` runs it in the built tree.
//
// Nothing is sent anywhere: the size of the upload is from wrangler's dry run.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// sizes are in bytes; a megabyte is a million. Upload is the compressed size that
// wrangler reports. As limits, 0 is none.
type sizes struct{ raw, gzip, brotli, upload int }

func (s sizes) plus(t sizes) sizes {
	return sizes{s.raw + t.raw, s.gzip + t.gzip, s.brotli + t.brotli, s.upload + t.upload}
}

// parts have the limits. The free plan takes an upload of 3 MB; a smaller one
// starts sooner. The page is what a first visit downloads, pictures aside.
var parts = []struct {
	name  string
	files []string // without any, the part is the Worker's upload
	limit sizes
}{
	{"signer", []string{"build/signer.wasm"}, sizes{raw: 8_000_000, gzip: 1_900_000, brotli: 1_400_000}},
	{"upload", nil, sizes{upload: 1_900_000}},
	{"program", []string{"build/page/app.wasm"}, sizes{raw: 7_000_000, gzip: 1_400_000, brotli: 980_000}},
	{"page", []string{"build/page/app.wasm", "public/index.html", "public/assets/*.js", "public/app-worker.js", "public/offline.html",
		"public/manifest.webmanifest"}, sizes{brotli: 1_000_000}},
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "size:", err)
		os.Exit(1)
	}
}

func run() error {
	var files []string
	for _, p := range parts {
		files = append(files, p.files...)
	}
	compressed, err := compress(files)
	if err != nil {
		return err
	}
	uploaded, err := upload()
	if err != nil {
		return err
	}
	var over error
	for _, p := range parts {
		var got sizes
		if p.files == nil {
			got.upload = uploaded
		}
		for _, file := range p.files {
			if compressed[file] == (sizes{}) {
				return fmt.Errorf("no file %s: run make build", file)
			}
			got = got.plus(compressed[file])
		}
		over = errors.Join(over, compare(os.Stdout, p.name, got, p.limit))
	}
	return over
}

// compare prints the sizes of a part beside their limits. A size over its limit is
// an error.
func compare(w io.Writer, name string, got, limit sizes) (over error) {
	for _, kind := range []struct {
		name       string
		got, limit int
	}{
		{"raw", got.raw, limit.raw}, {"gzip", got.gzip, limit.gzip}, {"brotli", got.brotli, limit.brotli}, {"wrangler", got.upload, limit.upload},
	} {
		if kind.got == 0 && kind.limit == 0 {
			continue
		}
		fmt.Fprintf(w, "%-8s %-8s %9d", name, kind.name, kind.got)
		if kind.limit > 0 {
			fmt.Fprintf(w, " of %9d", kind.limit)
		}
		fmt.Fprintln(w)
		if kind.limit > 0 && kind.got > kind.limit {
			over = errors.Join(over, fmt.Errorf("%s, %s: %d bytes are over the limit of %d", name, kind.name, kind.got, kind.limit))
		}
	}
	return over
}

// compress returns the sizes of all files of each pattern together, each compressed
// by itself, with the zlib and brotli of the project's Node.
func compress(patterns []string) (map[string]sizes, error) {
	const script = `const z = require("node:zlib"), fs = require("node:fs"), run = require("node:util").promisify;
		const measure = async (file) => {
			const b = fs.readFileSync(file);
			return [b.length, (await run(z.gzip)(b, {level: 9})).length, (await run(z.brotliCompress)(b)).length]; // 11 is brotli's default
		};
		const files = process.argv.slice(1);
		Promise.all(files.map(measure)).then((all) => console.log(JSON.stringify(all)));`
	args, pattern := []string{"-e", script}, []string{}
	for _, p := range slices.Compact(slices.Sorted(slices.Values(patterns))) {
		files, err := filepath.Glob(p)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			args, pattern = append(args, file), append(pattern, p)
		}
	}
	out, err := output("node", args...)
	if err != nil {
		return nil, err
	}
	var all [][3]int
	if err := json.Unmarshal(out, &all); err != nil || len(all) != len(pattern) {
		return nil, fmt.Errorf("compressing with Node: want %d files, got %s (%v)", len(pattern), out, err)
	}
	sum := map[string]sizes{}
	for i, p := range pattern {
		sum[p] = sum[p].plus(sizes{raw: all[i][0], gzip: all[i][1], brotli: all[i][2]})
	}
	return sum, nil
}

// upload has wrangler bundle the Worker, without account or network, and returns
// the compressed size.
func upload() (int, error) {
	dir, err := os.MkdirTemp("", "h5pay-size-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	out, err := output("wrangler", "deploy", "--dry-run", "--outdir", dir)
	if err != nil {
		return 0, err
	}
	return parseUpload(string(out))
}

var uploadLine = regexp.MustCompile(`Total Upload: [0-9.]+ KiB / gzip: ([0-9.]+) KiB`)

// parseUpload returns the compressed size that wrangler prints, in bytes.
func parseUpload(out string) (int, error) {
	m := uploadLine.FindStringSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("no line %q in the output of wrangler:\n%s", uploadLine, out)
	}
	kib, err := strconv.ParseFloat(m[1], 64)
	return int(math.Ceil(kib * 1024)), err
}

// output runs a command of the project's npm packages.
func output(name string, args ...string) ([]byte, error) {
	bin, err := filepath.Abs("node_modules/.bin")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(bin, name), args...)
	cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "FORCE_COLOR=0",
		"WRANGLER_HIDE_BANNER=true", "WRANGLER_SEND_METRICS=false", "WRANGLER_LOG_PATH="+os.TempDir())
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("running %s: %w: %s", name, err, stderr.String())
	}
	return out, nil
}
