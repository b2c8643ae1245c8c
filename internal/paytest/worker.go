package paytest

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"h5pay/internal/envfile"
	"h5pay/internal/stack"
	"h5pay/wechat/wechattest"
)

// WorkerConfig configures the built signer. Root is required.
type WorkerConfig struct {
	Root     string                   // the project's root, in which `make build` has run
	Vars     map[string]string        // settings that override those of .dev.vars.example
	Services map[string]stack.Service // bindings
	Queue    string                   // binding of a queue; "" for none
}

// Worker is the built signer on workerd, with its own D1 database.
type Worker struct {
	*stack.Workerd
	Env map[string]string // all settings
	Log *Log
}

// StartWorker starts a signer, which ends with the test. If the test failed, the test prints the
// Worker's log.
func StartWorker(t testing.TB, cfg WorkerConfig) *Worker {
	t.Helper()
	root, err := filepath.Abs(cfg.Root)
	if err != nil {
		t.Fatal(err)
	}
	schema, err := stack.SchemaFiles(root)
	if err != nil {
		t.Fatal(err)
	}
	d1, err := stack.StartD1(t.Context(), root, schema...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d1.Close)
	w := &Worker{Log: &Log{}}
	if w.Env, err = envfile.New(filepath.Join(root, ".dev.vars.example")); err != nil {
		t.Fatal(err)
	}
	maps.Copy(w.Env, cfg.Vars)
	w.Workerd, err = stack.StartWorkerd(t.Context(), stack.WorkerdConfig{
		Dir: root, Modules: filepath.Join(root, "build"), Entry: "worker.mjs", D1: d1.Address,
		Vars: w.Env, Services: cfg.Services, Queue: cfg.Queue, Output: w.Log,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.Close() // the log is complete now
		if t.Failed() {
			t.Logf("the Worker's log:\n%s", w.Log)
		}
	})
	return w
}

// CertificateBinding returns a service that calls a simulator's TLS address with the merchant's
// certificate. dir is the folder that the simulator's WriteCertificates wrote.
func CertificateBinding(t testing.TB, tlsURL, dir string) stack.Service {
	t.Helper()
	file := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	return stack.Service{
		Address: strings.TrimPrefix(tlsURL, "https://"),
		Cert:    file(wechattest.CertFile), Key: file(wechattest.KeyFile), Root: file(wechattest.RootFile),
	}
}
