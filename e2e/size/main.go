// Command size prints the sizes of the Worker and the page, and fails if one exceeds its limit.
// `make size` runs it in the built tree. It uploads nothing: wrangler's dry run reports the size.
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
	"strconv"

	"h5pay/internal/cleanup"
)

// sizes are in bytes, one of each kind. Wrangler's is the upload in gzip.
type sizes [4]int

var kinds = [len(sizes{})]string{"raw", "gzip", "brotli", "wrangler"}

// parts are the measured parts with their limits; 0 means no limit. The free plan accepts an upload
// of 3 MB, and a smaller one starts faster. The page is the download of a first visit without
// pictures.
var parts = []struct {
	name    string
	measure func() (sizes, error)
	limit   sizes
}{
	{"signer", files("build/signer.wasm"), sizes{10_400_000, 2_130_000, 1_550_000}},
	{"upload", upload, sizes{3: 2_200_000}},
	{"program", files("build/page/app.wasm"), sizes{7_000_000, 1_350_000, 950_000}},
	// Only operators load the console.
	{"console", files("build/console/app.wasm"), sizes{7_500_000, 1_450_000, 1_050_000}},
	{"around", files("public/index.html", "public/assets/*.js", "public/app-worker.js", "public/offline.html", "public/manifest.webmanifest"),
		sizes{2: 30_000}},
}

func main() { cleanup.Main(run) }

func run() int {
	var over error
	for _, p := range parts {
		got, err := p.measure()
		if err != nil {
			over = errors.Join(over, fmt.Errorf("measuring %s: %w", p.name, err))
			continue
		}
		over = errors.Join(over, compare(os.Stdout, p.name, got, p.limit))
	}
	if over != nil {
		fmt.Fprintln(os.Stderr, over)
		return 1
	}
	return 0
}

// compare prints the sizes of a part and its limits. It returns an error for a size above its
// limit.
func compare(w io.Writer, name string, got, limit sizes) (over error) {
	for i, kind := range kinds {
		switch {
		case limit[i] > 0:
			fmt.Fprintf(w, "%-8s %-8s %9d of %9d\n", name, kind, got[i], limit[i])
		case got[i] > 0:
			fmt.Fprintf(w, "%-8s %-8s %9d\n", name, kind, got[i])
		}
		if limit[i] > 0 && got[i] > limit[i] {
			over = errors.Join(over, fmt.Errorf("%s, %s: %d bytes exceed the limit of %d", name, kind, got[i], limit[i]))
		}
	}
	return over
}

// files measures several files, each compressed separately with the zlib and brotli of the
// project's Node.
func files(patterns ...string) func() (sizes, error) {
	const script = `const z = require("node:zlib"), sum = [0, 0, 0, 0];
		for (const b of process.argv.slice(1).map((file) => require("node:fs").readFileSync(file)))
			[b, z.gzipSync(b, {level: 9}), z.brotliCompressSync(b)].forEach((c, i) => sum[i] += c.length);
		console.log(JSON.stringify(sum));`
	return func() (sum sizes, err error) {
		args := []string{"-e", script}
		for _, pattern := range patterns {
			found, err := filepath.Glob(pattern)
			if err != nil || len(found) == 0 {
				return sum, fmt.Errorf("no file %s: run make build (%v)", pattern, err)
			}
			args = append(args, found...)
		}
		out, err := exec.Command("node_modules/.bin/node", args...).Output()
		if err != nil {
			return sum, err
		}
		err = json.Unmarshal(out, &sum)
		return sum, err
	}
}

// upload runs wrangler's bundler without an account or a network.
func upload() (sizes, error) {
	dir, err := os.MkdirTemp("", "h5pay-size-")
	if err != nil {
		return sizes{}, err
	}
	defer os.RemoveAll(dir)
	bin, err := filepath.Abs("node_modules/.bin")
	if err != nil {
		return sizes{}, err
	}
	cmd := exec.Command(filepath.Join(bin, "wrangler"), "deploy", "--dry-run", "--outdir", dir)
	cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "FORCE_COLOR=0",
		"WRANGLER_HIDE_BANNER=true", "WRANGLER_SEND_METRICS=false", "H5PAY_BUILT=1", "WRANGLER_LOG_PATH="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return sizes{}, err
	}
	n, err := parseUpload(string(out))
	return sizes{3: n}, err
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
