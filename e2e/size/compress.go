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

// compress measures files with the zlib and brotli of the project's own Node,
// which are what Cloudflare and browsers have.
func compress(files ...string) ([]compressed, error) {
	const script = `const z = require("node:zlib"), fs = require("node:fs");
		console.log(JSON.stringify(process.argv.slice(1).map((name) => fs.readFileSync(name)).map((b) => [z.gzipSync(b, {level: 9}).length,
			z.brotliCompressSync(b, {params: {[z.constants.BROTLI_PARAM_QUALITY]: 11}}).length])))`
	out, err := exec.Command("node_modules/.bin/node", append([]string{"-e", script}, files...)...).Output()
	if err != nil {
		return nil, fmt.Errorf("compressing with Node: %w", withOutput(err))
	}
	var sizes [][2]int
	if err := json.Unmarshal(out, &sizes); err != nil || len(sizes) != len(files) {
		return nil, fmt.Errorf("compressing with Node: it says %.100q (%v)", out, err)
	}
	var all []compressed
	for _, s := range sizes {
		all = append(all, compressed{s[0], s[1]})
	}
	return all, nil
}

// withOutput adds to the error of a command what the command said.
func withOutput(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return err
}
