package binary

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"h5pay"
)

// A release has the same bytes when it is built again in another folder. It is static, has the
// commit, lists what is inside, and contains no path of the machine that built it.
func TestReleaseIsReproducible(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var outs []string
	for range 2 {
		dir := t.TempDir()
		out := filepath.Join(dir, "out")
		cmd := exec.Command("go", "run", "./internal/cmd/release", "-uncommitted", "-o", out, "-platforms", "linux/"+runtime.GOARCH)
		cmd.Dir, cmd.Env = root, append(os.Environ(), "TMPDIR="+dir)
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		outs = append(outs, out)
	}
	names := map[string]string{} // by the beginning of the name
	entries, err := os.ReadDir(outs[0])
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(outs[0], "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		var files [2][]byte
		for i, out := range outs {
			if files[i], err = os.ReadFile(filepath.Join(out, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(files[0], files[1]) {
			t.Errorf("%s differs between two builds", e.Name())
		}
		if line := fmt.Sprintf("%x  %s\n", sha256.Sum256(files[0]), e.Name()); e.Name() != "SHA256SUMS" && !strings.Contains(string(sums), line) {
			t.Errorf("SHA256SUMS lacks %s", line)
		}
		for _, path := range []string{filepath.Dir(outs[0]), root, os.Getenv("HOME") + "/"} {
			if len(path) > 1 && bytes.Contains(files[0], []byte(path)) {
				t.Errorf("%s contains the path %s", e.Name(), path)
			}
		}
		switch {
		case strings.HasSuffix(e.Name(), ".json"):
			kind, _, _ := strings.Cut(e.Name(), "-")
			names[kind+" bill"] = filepath.Join(outs[0], e.Name())
		case e.Name() != "SHA256SUMS":
			names["binary"] = filepath.Join(outs[0], e.Name())
		}
	}
	for kind, module := range map[string]string{"h5pay bill": "modernc.org/sqlite", "page bill": "github.com/maxence-charriere/go-app/v9"} {
		checkBill(t, names[kind], root, module)
	}
	checkBinary(t, names["binary"], root)

	// The shop's name is put into the page when the server starts.
	p := startBinary(t, names["binary"], t.TempDir(), nil, demoFlags...)
	res, err := http.Get(identity(t, p).ShopURL + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains(string(page), "<title") || !strings.Contains(string(page), "山岚小铺") || strings.Contains(string(page), h5pay.PageName) {
		t.Errorf("%v: the page is\n%.3000s", err, page)
	}
	p.stop(t)
}

// checkBill checks that a bill of materials lists a module with the version in go.mod.
func checkBill(t *testing.T, file, root, module string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var bill struct {
		Format     string `json:"bomFormat"`
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(text, &bill); err != nil || bill.Format != "CycloneDX" {
		t.Fatalf("%s: %v", file, err)
	}
	list := exec.Command("go", "list", "-m", "-f", "{{.Version}}", module)
	list.Dir = root
	version, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range bill.Components {
		if c.Name == module && c.Version == strings.TrimSpace(string(version)) {
			return
		}
	}
	t.Errorf("%s lacks %s %s", filepath.Base(file), module, version)
}

// checkBinary checks how a binary was built.
func checkBinary(t *testing.T, file, root string) {
	t.Helper()
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, s := range info.Settings {
		got[s.Key] = s.Value
	}
	head := exec.Command("git", "rev-parse", "HEAD")
	head.Dir = root
	commit, err := head.Output()
	if err != nil {
		t.Fatal(err)
	}
	revision := strings.TrimSpace(string(commit))
	for key, want := range map[string]string{"-trimpath": "true", "CGO_ENABLED": "0", "vcs.revision": revision, "vcs.modified": "false"} {
		if got[key] != want {
			t.Errorf("%s is %q, want %q", key, got[key], want)
		}
	}
	version, err := exec.Command(file, "version").Output()
	if err != nil || !strings.HasPrefix(string(version), "h5pay v") || !strings.Contains(string(version), revision) {
		t.Errorf("the version is %q, %v", version, err)
	}
	program, err := elf.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	for _, p := range program.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the binary is not static")
		}
	}
}
