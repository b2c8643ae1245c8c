package binary

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"h5pay/internal/api"
	"h5pay/internal/v1"
)

// A backup that is written while the server settles payments restores the shop. Payments before it
// stay paid, and later ones are found at WeChat. The events have the same ids again.
func TestBackupRestoresTheShop(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(*shop, map[string]string) {})
	p := s.start(t)
	buyer := s.buyer(t)
	status := func(id string) api.OrderStatus {
		var o api.Order
		buyer.Must(http.MethodGet, api.OrderPath(id), nil, &o)
		return o.Status
	}
	paid := buyer.Order("tea", 1)
	buyer.Pay(paid.Pay)
	eventually(t, "the first order is paid", func() bool { return status(paid.Order.ID) == api.StatusPaid })
	open := buyer.Order("cake", 1)

	copied := filepath.Join(t.TempDir(), "copy.db")
	made := start(t, s.dir, nil, "backup", "-config", s.config, "-to", copied)
	if line := made.waitFor(t, "copy.db"); !strings.Contains(line, "1 paid orders, 68.00 CNY") {
		t.Errorf("the backup printed %s", line)
	}
	if info, err := os.Stat(copied); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	buyer.Pay(open.Pay)
	eventually(t, "the second order is paid", func() bool { return status(open.Order.ID) == api.StatusPaid })
	var before v1.Events
	s.operator(t).Must(http.MethodGet, "/v1/events", nil, &before)

	// A restore does not replace a database that exists.
	for _, when := range []string{"while the server runs", "after it"} {
		rejected := start(t, s.dir, nil, "restore", "-config", s.config, "-from", copied)
		if err := rejected.wait(t); err == nil || !strings.Contains(rejected.stderr.String(), "move") {
			t.Errorf("%s: %v %s", when, err, rejected.stderr.String())
		}
		if when == "while the server runs" {
			p.stop(t)
		}
	}
	files, err := filepath.Glob(filepath.Join(s.dir, "h5pay.db*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	if err := start(t, s.dir, nil, "restore", "-config", s.config, "-from", copied).wait(t); err != nil {
		t.Fatal(err)
	}
	p = s.start(t)
	if got := status(paid.Order.ID); got != api.StatusPaid {
		t.Errorf("what was paid before the backup is %s", got)
	}
	eventually(t, "what was paid since is found", func() bool { return status(open.Order.ID) == api.StatusPaid })
	var after v1.Events
	s.operator(t).Must(http.MethodGet, "/v1/events", nil, &after)
	ids := func(list v1.Events) string {
		var all []string
		for _, e := range list.Events {
			all = append(all, e.ID)
		}
		return strings.Join(all, " ")
	}
	if ids(before) != ids(after) || len(after.Events) != 2 {
		t.Errorf("events %s, before %s", ids(after), ids(before))
	}
	p.stop(t)
}

// A file that is no complete database of h5pay is not restored, and no part of it remains.
func TestDamagedBackupIsRejected(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(*shop, map[string]string) {})
	whole := filepath.Join(t.TempDir(), "whole.db")
	if err := start(t, s.dir, nil, "backup", "-config", s.config, "-to", whole).wait(t); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"half":  text[:len(text)/2],
		"other": []byte(strings.Repeat("not a database\n", 1000)),
		"empty": nil,
		"holes": append(append(append([]byte{}, text[:len(text)-8192]...), make([]byte, 4096)...), text[len(text)-4096:]...),
	} {
		dir := t.TempDir()
		damaged := filepath.Join(dir, name+".db")
		if err := os.WriteFile(damaged, content, 0o600); err != nil {
			t.Fatal(err)
		}
		p := start(t, dir, nil, "restore", "-from", damaged)
		if err := p.wait(t); err == nil {
			t.Errorf("%s: it was restored: %s", name, p.stderr.String())
		}
		if left, err := filepath.Glob(filepath.Join(dir, "h5pay.db*")); err != nil || len(left) > 0 {
			t.Errorf("%s: left %q, %v", name, left, err)
		}
	}
	p := start(t, s.dir, nil, "backup", "-config", s.config, "-to", whole)
	if err := p.wait(t); err == nil || !strings.Contains(p.stderr.String(), "exists") {
		t.Errorf("an earlier backup was written over: %v, %s", err, p.stderr.String())
	}
}

// A copy by pg_dump, made while two nodes serve, restores the shop with pg_restore: the commands are
// those of the runbook. What was paid since is found at WeChat.
func TestDumpRestoresTheShop(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	dump := regexp.MustCompile("`(pg_dump [^`]+)`").FindSubmatch(text)
	restore := regexp.MustCompile("`(pg_restore [^`]+)`").FindSubmatch(text)
	if dump == nil || restore == nil {
		t.Fatal("the runbook has no commands of PostgreSQL")
	}
	server, url := startPostgres(t)
	s := newShop(t, func(_ *shop, env map[string]string) { env["DATABASE_URL"] = url })
	shell := func(command string) {
		t.Helper()
		name, rest, _ := strings.Cut(command, " ")
		cmd := exec.CommandContext(t.Context(), "sh", "-c", server.Program(name)+" "+rest)
		cmd.Dir, cmd.Env = s.dir, append(os.Environ(), "DATABASE_URL="+url)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	first, second := s.start(t), s.startConfig(t, "h5pay.env", "LISTEN="+freeAddress(t))
	buyer := s.buyer(t)
	status := func(id string) api.OrderStatus {
		var o api.Order
		buyer.Must(http.MethodGet, api.OrderPath(id), nil, &o)
		return o.Status
	}
	paid := buyer.Order("tea", 1)
	buyer.Pay(paid.Pay)
	eventually(t, "the first order is paid", func() bool { return status(paid.Order.ID) == api.StatusPaid })
	open := buyer.Order("cake", 1)
	shell(string(dump[1]))
	buyer.Pay(open.Pay)
	eventually(t, "the second order is paid", func() bool { return status(open.Order.ID) == api.StatusPaid })
	var before, after v1.Events
	s.operator(t).Must(http.MethodGet, "/v1/events", nil, &before)
	first.stop(t)
	second.stop(t)

	if err := server.Exec(t.Context(), "postgres", "CREATE DATABASE again"); err != nil {
		t.Fatal(err)
	}
	shell(strings.ReplaceAll(string(restore[1]), "URL", "\""+server.URL("again")+"\""))
	s.settings(t, "again.env", server.URL("again"))
	third := s.startConfig(t, "again.env")
	if got := status(paid.Order.ID); got != api.StatusPaid {
		t.Errorf("what was paid before the copy is %s", got)
	}
	eventually(t, "what was paid since is found", func() bool { return status(open.Order.ID) == api.StatusPaid })
	s.operator(t).Must(http.MethodGet, "/v1/events", nil, &after)
	if len(before.Events) != 2 || len(after.Events) != 2 || before.Events[0].ID != after.Events[0].ID || before.Events[1].ID != after.Events[1].ID {
		t.Errorf("events %+v, before %+v", after.Events, before.Events)
	}
	third.stop(t)
	withoutTrouble(t, third)
}
