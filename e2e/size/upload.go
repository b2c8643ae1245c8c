package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

// upload returns what `wrangler deploy` would send of the Worker, compressed, in
// bytes. The dry run needs no account and no network, and writes into a folder
// of its own.
func upload() (int, error) {
	dir, err := os.MkdirTemp("", "h5pay-size-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	cmd := exec.Command("node_modules/.bin/wrangler", "deploy", "--dry-run", "--outdir", dir)
	bin, err := filepath.Abs("node_modules/.bin")
	if err != nil {
		return 0, err
	}
	cmd.Env = append(os.Environ(),
		"PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), // the project's own Node comes first
		"WRANGLER_HIDE_BANNER=true",                                // with the banner comes a look for a newer wrangler
		"WRANGLER_SEND_METRICS=false",
		"WRANGLER_LOG_PATH="+dir,
		"FORCE_COLOR=0",
	)
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("wrangler's dry run: %w", withOutput(err))
	}
	return parseUpload(string(out))
}

var uploadLine = regexp.MustCompile(`Total Upload: [0-9.]+ KiB / gzip: ([0-9.]+) KiB`)

// parseUpload finds the compressed size in what wrangler prints.
func parseUpload(out string) (int, error) {
	match := uploadLine.FindStringSubmatch(out)
	if match == nil {
		return 0, fmt.Errorf("wrangler did not say %q; it printed:\n%s", "Total Upload: ... KiB / gzip: ... KiB", out)
	}
	kib, err := strconv.ParseFloat(match[1], 64)
	if err != nil {
		return 0, fmt.Errorf("wrangler's figure: %w", err)
	}
	return int(math.Ceil(kib * 1024)), nil
}
