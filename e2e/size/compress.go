package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// compressed holds sizes in bytes.
type compressed struct{ gzip, brotli int }

// compress measures a file with the zlib and brotli of the project's own Node,
// which are what Cloudflare and browsers have.
func compress(file string) (compressed, error) {
	const script = `const z = require("node:zlib"), b = require("node:fs").readFileSync(process.argv[1]);
		console.log(JSON.stringify([z.gzipSync(b, {level: 9}).length,
			z.brotliCompressSync(b, {params: {[z.constants.BROTLI_PARAM_QUALITY]: 11}}).length]))`
	out, err := exec.Command("node_modules/.bin/node", "-e", script, file).Output()
	if err != nil {
		return compressed{}, fmt.Errorf("compressing %s with Node: %w", file, withOutput(err))
	}
	var sizes [2]int
	if err := json.Unmarshal(out, &sizes); err != nil {
		return compressed{}, fmt.Errorf("compressing %s with Node: %w", file, err)
	}
	return compressed{sizes[0], sizes[1]}, nil
}

// withOutput adds to the error of a command what the command said.
func withOutput(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return err
}
