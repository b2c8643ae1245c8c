package binary

import (
	"database/sql"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/store"
	"h5pay/internal/store/postgres"
	"h5pay/internal/v1"
)

// openToRead opens a database that a test reads beside the servers.
func openToRead(t *testing.T, open func() (*sql.DB, error)) *sql.DB {
	t.Helper()
	db, err := open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// runbookCommands returns the commands in the section "Moving to another database", by the
// number of their step.
func runbookCommands(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n## Moving to another database\n")
	if !ok {
		t.Fatal("docs/runbook.md has no section about moving")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	all, step := map[string][]string{}, ""
	for line := range strings.Lines(section) {
		if m := regexp.MustCompile(`^(\d+)\. `).FindStringSubmatch(line); m != nil {
			step = m[1]
		}
		if command, ok := strings.CutPrefix(line, "       "); ok {
			all[step] = append(all[step], strings.TrimSpace(command))
		}
	}
	return all
}

// run runs a command of h5pay in the folder of the shop, and returns what it prints.
func (s *shop) run(t *testing.T, command string) string {
	t.Helper()
	arguments, ok := strings.CutPrefix(command, "h5pay ")
	if !ok {
		t.Fatalf("%s is no command of h5pay", command)
	}
	p := start(t, s.dir, nil, strings.Fields(arguments)...)
	var out strings.Builder
	for line := range p.lines {
		out.WriteString(line + "\n")
	}
	if err := p.wait(t); err != nil {
		t.Fatalf("%s: %v\n%s%s", command, err, out.String(), p.stderr.String())
	}
	return out.String()
}

// sums are the lines of a command's output after the first one, which names files.
func sums(output string) string {
	_, rest, _ := strings.Cut(output, "\n")
	return rest
}

// movingCommands are the commands that these tests run, by the number of their step.
var movingCommands = map[string][]string{
	"4": {"h5pay export -config h5pay.env -to shop.export", "npx wrangler d1 export DB --remote --output shop.export"},
	"5": {"h5pay import -config new.env -from shop.export", "h5pay export -d1 -config h5pay.env -to shop.sql", "npx wrangler d1 execute DB --remote --file shop.sql"},
	"6": {"h5pay doctor -offline -config new.env"},
}

// An operator moves a shop to PostgreSQL and back with the commands of the runbook, while guests
// order and pay. What is paid while no server runs is found after the start.
func TestSwitchByTheRunbook(t *testing.T) {
	t.Parallel()
	commands := runbookCommands(t)
	if diff := cmp.Diff(movingCommands, commands); diff != "" {
		t.Fatalf("the runbook has other commands than the test (-test +runbook):\n%s", diff)
	}
	server, url := startPostgres(t)
	listen := freeAddress(t)
	s := newShop(t, func(_ *shop, env map[string]string) { env["LISTEN"] = listen })
	// As a proxy that holds the calls of buyers while the operator works.
	newFront(t, strings.TrimPrefix(s.url, "http://"), 2*longest, listen)
	p := s.start(t)
	tr := startTraffic(t, s, 3)
	tr.await(t, 5)

	// 1: into a scratch database, while the shop runs.
	if err := server.Exec(t.Context(), "postgres", "CREATE DATABASE scratch"); err != nil {
		t.Fatal(err)
	}
	s.settings(t, "scratch.env", server.URL("scratch"))
	rename := strings.NewReplacer("shop.export", "rehearsal.export", "new.env", "scratch.env")
	s.run(t, rename.Replace(commands["4"][0]))
	s.run(t, rename.Replace(commands["5"][0]))

	s.settings(t, "new.env", url) // 2
	waiting := s.waiting(t)
	p.stop(t) // 3
	withoutTrouble(t, p)
	for _, c := range waiting {
		s.pay(t, c)
	}
	s.move(t, commands, strings.NewReplacer())
	p = s.startConfig(t, "new.env") // 7
	s.wantPaid(t, waiting)          // 8
	tr.await(t, 5)

	// And back, into a new file.
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(filepath.Join(s.dir, "h5pay.db"+suffix), filepath.Join(s.dir, "old.db"+suffix)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	waiting = s.waiting(t)
	p.stop(t)
	withoutTrouble(t, p)
	for _, c := range waiting {
		s.pay(t, c)
	}
	s.move(t, commands, strings.NewReplacer("h5pay.env", "new.env", "new.env", "h5pay.env", "shop.export", "back.export"))
	p = s.startConfig(t, "h5pay.env")
	s.wantPaid(t, waiting)
	tr.await(t, 5)
	tr.stop()
	p.stop(t)
	withoutTrouble(t, p)
	s.compare(t, openToRead(t, func() (*sql.DB, error) {
		return sql.Open("sqlite", store.SQLiteURI(filepath.Join(s.dir, "h5pay.db"), "mode=ro"))
	}), tr)
}

// move runs the commands of steps 4 to 6, with other names of files.
func (s *shop) move(t *testing.T, commands map[string][]string, rename *strings.Replacer) {
	t.Helper()
	exported := s.run(t, rename.Replace(commands["4"][0]))
	imported := s.run(t, rename.Replace(commands["5"][0]))
	if diff := cmp.Diff(sums(exported), sums(imported)); diff != "" || !strings.Contains(imported, "orders paid: ") {
		t.Errorf("the two commands print (-export +import):\n%s", diff)
	}
	s.run(t, rename.Replace(commands["6"][0]))
}

// settings writes the settings of the shop for a database of PostgreSQL.
func (s *shop) settings(t *testing.T, name, url string) {
	t.Helper()
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^DATABASE_URL=.*\n`).ReplaceAll(text, nil)
	if err := os.WriteFile(filepath.Join(s.dir, name), append(lines, "DATABASE_URL=\""+url+"\"\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
}

// startConfig starts the server with other settings and waits until it answers.
func (s *shop) startConfig(t *testing.T, name string, env ...string) *process {
	t.Helper()
	p := start(t, s.dir, env, "serve", "-config", name)
	eventually(t, "the server listens", func() bool {
		return strings.Contains(p.stderr.String(), `"signer is listening"`)
	})
	return p
}

// waiting returns orders that guests can pay.
func (s *shop) waiting(t *testing.T) (all []api.Checkout) {
	t.Helper()
	for range 3 {
		b := paytest.NewBuyer(t, s.PhoneURL, s.PhoneURL, s.Demo)
		b.Must(http.MethodPost, api.PathSession, struct{}{}, &api.Session{})
		all = append(all, b.OrderByCode("tea", 1))
	}
	return all
}

// wantPaid waits until the shop knows that orders are paid, without a look at their pages.
func (s *shop) wantPaid(t *testing.T, all []api.Checkout) {
	t.Helper()
	op := s.operator(t)
	for _, c := range all {
		eventually(t, "an order is found that was paid while no server ran", func() bool { return op.StoredOrder(c.Order.ID).Status == v1.OrderPaid })
	}
}

// Two nodes are upgraded one after the other, while guests order and pay. No call fails.
func TestUpgradeWithoutAFailedCall(t *testing.T) {
	t.Parallel()
	_, url := startPostgres(t)
	listen := []string{freeAddress(t), freeAddress(t)}
	s := newShop(t, func(_ *shop, env map[string]string) { env["DATABASE_URL"] = url })
	f := newFront(t, strings.TrimPrefix(s.url, "http://"), longest/3, listen...)
	nodes := make([]*process, len(listen))
	for i, address := range listen {
		nodes[i] = s.startConfig(t, "h5pay.env", "LISTEN="+address)
	}
	tr := startTraffic(t, s, 4)
	for range 3 {
		for i, address := range listen {
			tr.await(t, 3)
			nodes[i].stop(t)
			withoutTrouble(t, nodes[i])
			if c, err := net.Dial("tcp", address); err == nil {
				c.Close()
				t.Errorf("node %d has ended, and %s accepts connections", i, address)
			}
			tr.await(t, 1) // the other node serves
			nodes[i] = s.startConfig(t, "h5pay.env", "LISTEN="+address)
		}
	}
	tr.await(t, 3)
	tr.stop()
	for _, node := range nodes {
		node.stop(t)
		withoutTrouble(t, node)
	}
	if f.retried.Load() == 0 {
		t.Error("no call met a node that had ended: the test shows nothing")
	}
	s.compare(t, openToRead(t, func() (*sql.DB, error) { return postgres.Open(postgres.Config{URL: url}) }), tr)
	t.Logf("6 restarts; %d calls went to the other node", f.retried.Load())
}
