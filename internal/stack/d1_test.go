package stack

import (
	"context"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"h5pay/internal/cleanup"
)

// TestMain fails if a process is left.
func TestMain(m *testing.M) { cleanup.Main(m.Run) }

// A test's context ends before its cleanup functions run. D1 must keep its Node until Close,
// because workerd would outlive it.
func TestD1EndsWithCloseAndNotWithItsContext(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	d1, err := StartD1(ctx, root)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	time.Sleep(200 * time.Millisecond) // time for a wrong D1 to end
	res, err := http.Get("http://" + d1.Address + "/")
	if err != nil {
		t.Errorf("after the end of its context D1 does not answer: %v", err)
	} else {
		res.Body.Close()
	}
	d1.Close()
	if c, err := net.DialTimeout("tcp", d1.Address, time.Second); err == nil {
		c.Close()
		t.Error("after Close workerd still listens")
	}
}

// With a folder, acknowledged data survives a kill.
func TestD1KeepsItsFilesThroughAKill(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	query := func(d *D1, sql string) string {
		t.Helper()
		res, err := http.Post("http://"+d.Address+"/query?resultsFormat=ARRAY_OF_OBJECTS", "application/json", strings.NewReader(`{"sql":"`+sql+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	first, err := StartD1In(t.Context(), root, folder)
	if err != nil {
		t.Fatal(err)
	}
	query(first, "CREATE TABLE t (a TEXT)")
	query(first, "INSERT INTO t VALUES ('kept')")
	first.Kill()
	if c, err := net.DialTimeout("tcp", first.Address, time.Second); err == nil {
		c.Close()
		t.Error("after Kill workerd still listens")
	}
	second, err := StartD1In(t.Context(), root, folder)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if got := query(second, "SELECT a FROM t"); !strings.Contains(got, `"kept"`) {
		t.Errorf("after the kill: %s", got)
	}
}

func TestStartIsCancelledWithItsContext(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if d1, err := StartD1(ctx, root); err == nil {
		d1.Close()
		t.Error("D1 started without time to")
	}
}

// When the wrangler command is killed, its child Node keeps the output open. Shop.Done must not
// wait for it.
func TestWranglerCommandIsKilled(t *testing.T) {
	cmd := wrangler(t.Context(), ShopConfig{Dir: t.TempDir(), Output: new(discard)})
	cmd.Path, cmd.Args, cmd.Err = "/bin/sh", []string{"sh", "-c", "sleep 1000 & kill -9 $$"}, nil
	ended := make(chan error, 1)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if _, ok := err.(*exec.ExitError); !ok {
			t.Errorf("got %v", err)
		}
	case <-time.After(10 * closeTimeout):
		t.Error("the end of the command is not seen")
	}
}

// discard is an io.Writer that exec.Cmd copies to.
type discard struct{}

func (*discard) Write(p []byte) (int, error) { return len(p), nil }
