package backend_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"h5pay/internal/paytest"
	"h5pay/internal/v1"
)

// guide is the part of docs/backend.md that its readers type, by the number of its section.
type guide struct {
	t       *testing.T
	blocks  map[string][]string // commands, by section: "2"
	shops   []string            // the commands that start a tiny shop
	replace *strings.Replacer   // of addresses
}

// readGuide reads the guide for a reader whose shop and program are at other addresses. Its translation
// has the same commands: TestLanguageVersionsHaveTheSameParts.
func readGuide(t *testing.T, shop, program string) *guide {
	t.Helper()
	text, err := os.ReadFile("../../docs/backend.md")
	if err != nil {
		t.Fatal(err)
	}
	g := &guide{t: t, blocks: map[string][]string{}, replace: strings.NewReplacer("http://localhost:8802", shop, "localhost:3000", program)}
	for _, section := range regexp.MustCompile(`(?m)^## (\d)\..*\n`).FindAllStringSubmatchIndex(string(text), -1) {
		body, _, _ := strings.Cut(string(text[section[1]:]), "\n## ")
		for _, block := range regexp.MustCompile(`(?m)(?:^    .*\n)+`).FindAllString(body, -1) {
			name := string(text[section[2]:section[3]])
			g.blocks[name] = append(g.blocks[name], block)
		}
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `[^`]+` \\| `([^`]+)` \\| (?:the|PHP)").FindAllStringSubmatch(string(text), -1) {
		g.shops = append(g.shops, row[1])
	}
	for section, n := range map[string]int{"1": 1, "2": 2, "3": 2, "4": 3, "5": 1} {
		if len(g.blocks[section]) != n {
			t.Fatalf("section %s has %d blocks of commands, want %d", section, len(g.blocks[section]), n)
		}
	}
	return g
}

// command returns a block of commands.
func (g *guide) command(section string, block int) string {
	return g.replace.Replace(g.blocks[section][block])
}

// run runs commands in a folder and returns what they print.
func (g *guide) run(folder string, env []string, commands ...string) string {
	g.t.Helper()
	cmd := exec.Command("bash", "-euc", strings.Join(commands, "\n"))
	cmd.Dir, cmd.Env = folder, env
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatalf("%s: %v\n%s", commands, err, out)
	}
	return string(out)
}

// The commands of the guide lead from a shop to a paid and refunded order of the reader's own back end,
// in each of the four languages.
func TestGuide(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	// `go run` ends with status 1 at Ctrl-C, whatever the program's status is.
	signer := filepath.Join(t.TempDir(), "signer")
	if out, err := exec.Command("go", "build", "-o", signer, "../../signer").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	shops := readGuide(t, "", "").shops
	if len(shops) != len(samples(t)) {
		t.Fatalf("the guide starts %q", shops)
	}
	for _, start := range shops {
		t.Run(start, func(t *testing.T) {
			w := newWorld(t)
			g := readGuide(t, w.url, "localhost:3000") // a host of the shop's setting RETURN_HOSTS
			if !strings.Contains(g.blocks["1"][0], "make dev") || strings.TrimSpace(g.blocks["4"][1]) != "node examples/backend/shop.mjs" {
				t.Errorf("the guide begins with %q, and starts %q", g.blocks["1"], g.blocks["4"][1])
			}

			// Sections 2 and 4: the settings. The reader's folder has the file of `make dev`.
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, ".dev.vars"), []byte("A=\"b\"\nADMIN_TOKEN=\""+paytest.AdminToken+"\"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			base := append(os.Environ(), "PATH="+filepath.Join(root, "node_modules/.bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
			settings := map[string]string{}
			for _, entry := range strings.Split(g.run(folder, base, g.command("2", 0), g.command("2", 1), g.command("4", 0), "env -0"), "\x00") {
				name, value, _ := strings.Cut(entry, "=")
				settings[name] = value
			}
			if !strings.HasPrefix(settings["H5PAY_KEY"], "h5pay_") || settings["H5PAY_URL"] != w.url || len(settings["OPERATOR_TOKEN"]) != 32 {
				t.Fatalf("the settings are not there: the shop is %q", settings["H5PAY_URL"])
			}
			delete(settings, "TMPDIR")
			env := base
			for name, value := range settings {
				env = append(env, name+"="+value)
			}

			// Section 3: an order by hand.
			var made v1.Order
			if out := g.run(root, env, g.command("3", 0)); json.Unmarshal([]byte(out), &made) != nil || made.Status != v1.OrderOpen {
				t.Fatalf("the order: %s", out)
			}
			w.pay(made.URL)
			var found v1.Orders
			if out := g.run(root, env, g.command("3", 1)); json.Unmarshal([]byte(out), &found) != nil || len(found.Orders) != 1 || found.Orders[0].Status != v1.OrderPaid {
				t.Errorf("the paid order: %s", out)
			}

			// Section 4: the tiny shop, and the events of h5pay. The shop itself delivers none.
			s := startSample(t, []string{"bash", "-c", fmt.Sprintf("cd %q && exec %s", root, start)}, settings)
			g = readGuide(t, w.url, s.address)
			arguments, ok := strings.CutPrefix(strings.TrimSpace(g.command("4", 2)), "go run ./signer ")
			if !ok {
				t.Fatalf("the guide runs %q", g.command("4", 2))
			}
			listener := startListen(t, root, env, signer+" "+arguments)
			bought := s.buy()
			id := w.orderAt(bought)
			w.pay(bought)
			var reference string
			if err := w.DB.QueryRow(`SELECT reference FROM orders WHERE id = ?`, id).Scan(&reference); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the order is shipped", func() bool { return strings.Contains(s.printed.String(), "ship order "+reference) })
			s.wantOrder(state{reference, "paid", 0})
			eventually(t, "listen prints the event", func() bool {
				return strings.Contains(listener.printed.String(), "order.paid evt_paid_"+id+" of order "+id+": http://"+s.address+"/webhook answered 20")
			})

			// Section 5: the refund.
			var refund v1.Refund
			if out := g.run(root, env, strings.ReplaceAll(g.command("5", 0), "NUMBER", reference)); json.Unmarshal([]byte(out), &refund) != nil || refund.Amount != 6800 {
				t.Errorf("the refund: %s", out)
			}
			w.Sim.Advance(10 * time.Second)
			w.Check()
			eventually(t, "the refund is reported", func() bool { return strings.Contains(listener.printed.String(), "order.refunded") })
			s.wantOrder(state{reference, "paid", 6800})
			if n := s.shipped(reference); n != 1 {
				t.Errorf("shipped %d times, want once", n)
			}
			listener.interrupt()
		})
	}
}

// listener is a running `h5pay listen`.
type listener struct {
	t       *testing.T
	cmd     *exec.Cmd
	printed *paytest.Log
}

// startListen starts the command and waits until it listens.
func startListen(t *testing.T, root string, env []string, command string) *listener {
	t.Helper()
	l := &listener{t: t, cmd: exec.Command("bash", "-c", "exec "+command), printed: &paytest.Log{}}
	l.cmd.Dir, l.cmd.Env = root, env
	l.cmd.Stdout, l.cmd.Stderr = l.printed, l.printed
	l.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-l.cmd.Process.Pid, syscall.SIGKILL)
		l.cmd.Wait()
		if t.Failed() {
			t.Logf("listen printed:\n%s", l.printed)
		}
	})
	eventually(t, "listen starts", func() bool { return strings.Contains(l.printed.String(), "press Ctrl-C") })
	return l
}

// interrupt presses Ctrl-C. The command must succeed and print how to continue.
func (l *listener) interrupt() {
	l.t.Helper()
	if err := syscall.Kill(-l.cmd.Process.Pid, syscall.SIGINT); err != nil {
		l.t.Fatal(err)
	}
	if err := l.cmd.Wait(); err != nil || !strings.Contains(l.printed.String(), "stopped; to continue: -after evt_refunded_") {
		l.t.Errorf("listen ends with %v", err)
	}
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * startTimeout); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
