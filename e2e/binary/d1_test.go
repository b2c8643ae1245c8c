package binary

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
)

// wrangler runs a command of the runbook on a local D1 in a folder, which has the configuration and
// the migrations of the project.
func wrangler(t *testing.T, dir, command string) {
	t.Helper()
	arguments, ok := strings.CutPrefix(command, "npx wrangler ")
	if !ok {
		t.Fatalf("%s is no command of wrangler", command)
	}
	bin, err := filepath.Abs("../../node_modules/.bin")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "wrangler"), strings.Fields(strings.ReplaceAll(arguments, "--remote", "--local"))...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "CI=true", "NO_COLOR=1", "H5PAY_BUILT=1",
		"WRANGLER_SEND_METRICS=false", "WRANGLER_WRITE_LOGS=false", "WRANGLER_REGISTRY_PATH="+filepath.Join(dir, "registry"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.CombinedOutput()
	if cmd.Process != nil {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // wrangler may leave workerd running
	}
	if err != nil {
		t.Fatalf("wrangler %s: %v\n%s", arguments, err, out)
	}
}

// newD1 returns a folder with a local D1 that has the schema.
func newD1(t *testing.T) string {
	t.Helper()
	dir, migrations := t.TempDir(), filepath.Join("internal", "store", "migrations")
	text, err := os.ReadFile("../../wrangler.toml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "wrangler.toml"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, migrations), os.DirFS(filepath.Join("../..", migrations))); err != nil {
		t.Fatal(err)
	}
	wrangler(t, dir, "npx wrangler d1 migrations apply DB --remote")
	return dir
}

// A shop goes to D1 with the commands of the runbook, and from there to PostgreSQL. D1 is the local
// one of the real wrangler.
func TestSwitchToAndFromD1(t *testing.T) {
	t.Parallel()
	commands := runbookCommands(t)
	if diff := cmp.Diff(movingCommands, commands); diff != "" {
		t.Fatalf("the runbook has other commands than the test (-test +runbook):\n%s", diff)
	}
	_, url := startPostgres(t)
	s := newShop(t, func(*shop, map[string]string) {})
	p := s.start(t)
	buyer := s.buyer(t)
	paid, open := buyer.Order("tea", 1), buyer.Order("cake", 2)
	buyer.Pay(paid.Pay)
	eventually(t, "the order is paid", func() bool {
		var o api.Order
		buyer.Must(http.MethodGet, api.OrderPath(paid.Order.ID), nil, &o)
		return o.Status == api.StatusPaid
	})
	p.stop(t)
	exported := s.run(t, commands["5"][1])

	d1 := newD1(t)
	move := func(name, from, to string) {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	move("shop.sql", s.dir, d1)
	wrangler(t, d1, commands["5"][2])
	wrangler(t, d1, commands["4"][1])
	move("shop.export", d1, s.dir)

	s.settings(t, "new.env", url)
	imported := s.run(t, commands["5"][0])
	if diff := cmp.Diff(sums(exported), sums(imported)); diff != "" || !strings.Contains(imported, "orders paid: 1, 6800, 0") {
		t.Errorf("what came from D1 differs (-before +after):\n%s\n%s", diff, imported)
	}
	s.run(t, commands["6"][0])
	p = s.startConfig(t, "new.env")
	buyer.Pay(open.Pay)
	s.wantPaid(t, []api.Checkout{paid, open})
	p.stop(t)
	withoutTrouble(t, p)
}
