// Package clone_test runs wrangler's commands in a fresh clone, where nothing is built or
// installed.
package clone_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"h5pay/internal/cleanup"
	"h5pay/internal/stack"
)

func TestMain(m *testing.M) { cleanup.Main(m.Run) }

func TestWranglerBuildsWhatItNeeds(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := copyTree(t, root)

	out, err := wrangler(t.Context(), root, dir, "deploy", "--dry-run").CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("Total Upload")) {
		t.Fatalf("wrangler deploy --dry-run: %v\n%s", err, out)
	}
	for _, warning := range []string{"EBADENGINE", "workers_dev", "preview_urls", "jobserver"} {
		if bytes.Contains(out, []byte(warning)) {
			t.Errorf("wrangler deploy warns of %s:\n%s", warning, out)
		}
	}
	if out, err := git(dir, "status", "--porcelain").Output(); err != nil || len(out) > 0 {
		t.Errorf("the build leaves files that git sees: %v\n%s", err, out)
	}

	// Everything is built now: the page and the Worker must start at once.
	port, err := stack.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	inspector, err := stack.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "log")
	file, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	dev := wrangler(context.Background(), root, dir, "dev", "--port", strconv.Itoa(port), "--inspector-port", strconv.Itoa(inspector))
	dev.Stdout, dev.Stderr = file, file
	if err := dev.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		syscall.Kill(-dev.Process.Pid, syscall.SIGKILL)
		dev.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(log)
			t.Logf("wrangler dev:\n%s", text)
		}
	}()
	url := "http://localhost:" + strconv.Itoa(port)
	if page := get(t, url+"/"); !strings.Contains(page, "/assets/app.") {
		t.Errorf("the page is %.300s", page)
	}
	// The Worker runs. Its public health page only shows that a check failed, and its log names
	// what is missing.
	if health := get(t, url+"/api/health"); !strings.Contains(health, `"ok":false`) {
		t.Errorf("the health page is %s", health)
	}
	get(t, url+"/api/config")
	deadline := time.Now().Add(10 * time.Second)
	for {
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "WECHAT_API_KEY") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the log does not name WECHAT_API_KEY")
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// copyTree copies the project's files that are not ignored, and initialises git.
func copyTree(t *testing.T, root string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "h5pay")
	list, err := git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(list), "\x00"), "\x00") {
		info, err := os.Stat(filepath.Join(root, name))
		if os.IsNotExist(err) {
			continue // removed but not committed
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, text, info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "-A"}, {"-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "-q", "-m", "test"}} {
		if out, err := git(dir, args...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	return dir
}

func git(dir string, args ...string) *exec.Cmd {
	return exec.Command("git", append([]string{"-C", dir}, args...)...)
}

// wrangler returns the project's wrangler command as npx runs it, without the settings of make and
// the tests.
func wrangler(ctx context.Context, root, dir string, args ...string) *exec.Cmd {
	bin := filepath.Join(root, "node_modules", ".bin")
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "wrangler"), args...)
	cmd.Dir = dir
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if name != "PATH" && name != "H5PAY_BUILT" && !strings.HasPrefix(name, "MAKE") && name != "MFLAGS" {
			cmd.Env = append(cmd.Env, entry)
		}
	}
	cmd.Env = append(cmd.Env, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"),
		"WRANGLER_SEND_METRICS=false", "WRANGLER_WRITE_LOGS=false", "NO_COLOR=1",
		"WRANGLER_REGISTRY_PATH="+filepath.Join(dir, ".wrangler", "registry"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

// get fetches a URL whose server may still be starting.
func get(t *testing.T, url string) string {
	t.Helper()
	for deadline := time.Now().Add(90 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		res, err := http.Get(url)
		if err == nil {
			text, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}
