// Command rsabench compares two implementations of RSA in the Worker: Go's crypto/rsa in
// WebAssembly, and the platform's WebCrypto. docs/rsa.md has its results.
//
//	go run ./e2e/rsabench
//
// The operations take turns within each round, so that other load on the machine slows all of them.
// It requires node_modules, which `make build` installs.
package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"h5pay/e2e/proc"
	"h5pay/internal/cleanup"
	"h5pay/internal/cmdflag"
	"h5pay/internal/stack"
	"h5pay/wechat/apiv3"
)

func main() { cleanup.Main(program) }

func program() int {
	log.SetFlags(0)
	var n, rounds int
	cmdflag.Int(flag.CommandLine, &n, "n", 200, 1, "`number` of requests per operation and round")
	cmdflag.Int(flag.CommandLine, &rounds, "rounds", 9, 1, "`number` of rounds")
	flag.Parse()
	if err := cmdflag.NoArguments(flag.CommandLine); err != nil {
		log.Print("rsabench: ", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	root, err := os.Getwd()
	if err == nil {
		err = run(ctx, os.Stdout, root, n, rounds)
	}
	if err != nil {
		log.Print("rsabench: ", err)
		return 1
	}
	return 0
}

// run measures, checks every result, and writes the table to out. root is the project's folder.
func run(ctx context.Context, out io.Writer, root string, n, rounds int) error {
	dir, err := os.MkdirTemp("", "h5pay-rsabench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := build(ctx, root, dir); err != nil {
		return err
	}
	w, err := stack.StartWorkerd(ctx, stack.WorkerdConfig{Dir: root, Modules: dir, Entry: "worker.mjs", D1: "127.0.0.1:1", Output: os.Stderr})
	if err != nil {
		return err
	}
	defer w.Close()

	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	// WebCrypto gets the keys as package apiv3 writes them.
	read, err := apiv3.ParsePrivateKey(apiv3.Secret(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})))
	if err != nil {
		return err
	}
	pkcs8, spki := read.PKCS8(), read.Public().SPKI()
	// The size of a prepay call.
	text := []byte("POST\n/v3/pay/transactions/jsapi\n1554208460\n593BEC0C930BF1AFEB40B4A08C8FB242\n" + strings.Repeat("{prepay}", 50) + "\n")
	sum := sha256.Sum256(text)
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return err
	}
	keys := slices.Concat(binary.LittleEndian.AppendUint32(nil, uint32(len(pkcs8))), pkcs8, spki)
	if _, err := post(ctx, w.URL, "keys", keys); err != nil {
		return err
	}
	signed := slices.Concat(signature, text)
	operations := []operation{
		{"none", text, text},
		{"go-sign", text, signature},
		{"web-sign", text, signature},
		{"go-verify", signed, []byte("true")},
		{"web-verify", signed, []byte("true")},
		{"go-import", nil, nil},
		{"web-import", nil, nil},
	}
	cpu, p50 := map[string][]float64{}, map[string][]float64{} // ms per round
	for round := range rounds + 1 {
		for _, op := range operations {
			before, err := proc.CPUTime(w.PID)
			if err != nil {
				return err
			}
			took := make([]float64, 0, n)
			for range n {
				start := time.Now()
				got, err := post(ctx, w.URL, op.name, op.body)
				if err != nil {
					return err
				}
				took = append(took, milliseconds(time.Since(start)))
				if !bytes.Equal(got, op.want) {
					return fmt.Errorf("%s: got %q", op.name, got)
				}
			}
			after, err := proc.CPUTime(w.PID)
			if err != nil {
				return err
			}
			if round > 0 { // the first is for warming up
				cpu[op.name] = append(cpu[op.name], milliseconds(after-before)/float64(n))
				p50[op.name] = append(p50[op.name], median(took))
			}
		}
		log.Printf("round %d of %d", round, rounds)
	}
	fmt.Fprintln(out, "| operation | CPU ms, crypto/rsa | WebCrypto | ratio | p50 ms, crypto/rsa | WebCrypto | ratio |\n|---|--:|--:|--:|--:|--:|--:|")
	for _, name := range []string{"sign", "verify", "import"} {
		fmt.Fprintf(out, "| %s |", name)
		for _, figures := range []map[string][]float64{cpu, p50} {
			goes, web := above(figures, "go-"+name), above(figures, "web-"+name)
			fmt.Fprintf(out, " %.2f | %.2f | %.1f |", goes, web, goes/web)
		}
		fmt.Fprintln(out)
	}
	return nil
}

// above returns the median cost of an operation beyond that of an empty request. It compares
// figures of the same round.
func above(figures map[string][]float64, name string) float64 {
	v := slices.Clone(figures[name])
	for round, none := range figures["none"] {
		v[round] -= none
	}
	return median(v)
}

// operation is the kind of a request.
type operation struct {
	name       string
	body, want []byte
}

// build fills dir with the Worker's modules.
func build(ctx context.Context, root, dir string) error {
	cmd := exec.CommandContext(ctx, "go", "run", "./internal/cmd/wasmbuild", "-for", "worker", "-o", filepath.Join(dir, "program.wasm"), "./e2e/rsabench/program")
	cmd.Dir, cmd.Stderr = root, os.Stderr
	if err := cmd.Run(); err != nil {
		return err
	}
	env := exec.CommandContext(ctx, "go", "env", "GOROOT")
	env.Dir = root
	goroot, err := env.Output()
	if err != nil {
		return err
	}
	for name, from := range map[string]string{
		"worker.mjs":   filepath.Join(root, "e2e/rsabench/worker.mjs"),
		"wasm_exec.js": filepath.Join(strings.TrimSpace(string(goroot)), "lib/wasm/wasm_exec.js"),
	} {
		b, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func post(ctx context.Context, url, op string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/"+op, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	response, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", op, res.Status, response)
	}
	return response, err
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
