package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"h5pay/internal/wasmbin"
)

// buildProgram compiles a small program the way the project's are.
func buildProgram(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module tiny\n\ngo 1.26\n",
		"main.go": "package main\n\nimport \"strings\"\n\nfunc main() { println(strings.Repeat(\"tiny\", len(names))) }\n\nvar names = [...]string{\"a\", \"b\"}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", "tiny.wasm", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(filepath.Join(dir, "tiny.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRealProgram(t *testing.T) {
	b := buildProgram(t)
	p, err := parse(b)
	if err != nil {
		t.Fatal(err)
	}
	code, data := map[string]int{}, map[string]int{}
	size := 0
	for _, f := range p.funcs {
		code[f.pkg] += len(f.code)
		size += len(f.code)
	}
	for _, r := range p.regions {
		data[r.what] = len(r.bytes)
		size += len(r.bytes)
		if len(r.bytes) == 0 {
			t.Errorf("%q is empty", r.what)
		}
	}
	for pkg, least := range map[string]int{"main": 100, "strings": 100, "runtime": 200_000, "internal/runtime/maps": 1000, "(assembly)": 100} {
		if code[pkg] < least {
			t.Errorf("%s has %d bytes, want %d at least", pkg, code[pkg], least)
		}
	}
	for pkg := range code {
		if pkg == "" {
			t.Error("code of no package")
		}
	}
	if size > len(b) || size < len(b)*8/10 {
		t.Errorf("%d of %d bytes are explained", size, len(b))
	}
	if files := p.regions[slices.IndexFunc(p.regions, func(r region) bool { return r.what == "pclntab: file names" })]; !bytes.Contains(files.bytes, []byte("tiny/main.go")) {
		t.Error("the region of file names has not this program's")
	}
}

// Whatever is broken, it is an error.
func TestBrokenProgram(t *testing.T) {
	whole := buildProgram(t)
	for n := 0; n < len(whole); n += len(whole) / 50 {
		if n > 8 { // of the bare header it can only say that there is no program
			if _, err := parse(whole[:n]); err == nil {
				t.Errorf("the first %d bytes were read", n)
			}
		}
	}
	m, err := wasmbin.Parse(whole)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readProgram(&wasmbin.Module{Code: m.Code}); err == nil {
		t.Error("read without data")
	}
	if _, err := readProgram(&wasmbin.Module{Code: m.Code[1:], Data: m.Data}); err == nil {
		t.Error("read without its first function")
	}
	if _, err := readProgram(&wasmbin.Module{Data: []wasmbin.Segment{{Addr: 1 << 31, Bytes: []byte("far away")}}}); err == nil {
		t.Error("read with two gigabytes of memory")
	}
	// Every byte of the table's header, one by one.
	image, err := m.Memory()
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(image, []byte(pcHeader))
	for i := at; i < at+9*word; i++ {
		broken := bytes.Clone(image)
		broken[i] ^= 0xff
		p, err := readProgram(&wasmbin.Module{Code: m.Code, Data: []wasmbin.Segment{{Addr: 0, Bytes: broken}}})
		if err == nil && len(p.funcs) != len(m.Code) {
			t.Errorf("byte %d of the header: %d functions", i-at, len(p.funcs))
		}
	}
}
