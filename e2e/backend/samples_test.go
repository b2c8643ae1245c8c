package backend_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/paytest"
	"h5pay/internal/stack"
	"h5pay/webhook"
)

const (
	folder        = "../../examples/backend"
	operatorToken = "an operator's token"
	// startTimeout bounds the start of a sample on a busy machine.
	startTimeout = 60 * time.Second
)

// samples returns the command of each sample.
func samples(t *testing.T) map[string][]string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "backend")
	if out, err := exec.Command("go", "build", "-o", program, folder).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	commands := map[string][]string{
		"Go":     {program},
		"Node":   {"../../node_modules/.bin/node", folder + "/shop.mjs"},
		"Python": {"python3", folder + "/shop.py"},
		"PHP":    {"php", folder + "/shop.php"},
	}
	for name, command := range commands {
		if _, err := exec.LookPath(command[0]); err != nil {
			t.Fatalf("%s: %v: `make e2e` installs it", name, err)
		}
	}
	return commands
}

// sample is a running sample.
type sample struct {
	t       *testing.T
	address string // host:port
	secret  string // of webhooks
	printed *paytest.Log
	flushed int
}

// startSample starts a sample and waits until it answers. It ends with the test.
func startSample(t *testing.T, command []string, settings map[string]string) *sample {
	t.Helper()
	port, err := stack.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	s := &sample{t: t, address: fmt.Sprintf("localhost:%d", port), secret: settings["WEBHOOK_SECRET"], printed: &paytest.Log{}}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), fmt.Sprintf("PORT=%d", port), "TMPDIR="+t.TempDir(), "NODE_NO_WARNINGS=1")
	for name, value := range settings {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stdout, cmd.Stderr = s.printed, s.printed
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // PHP's server is a child
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
		if t.Failed() {
			t.Logf("the sample printed:\n%s", s.printed)
		}
	})
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(20 * time.Millisecond) {
		res, err := http.Get("http://" + s.address + "/")
		if err == nil {
			res.Body.Close()
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("the sample does not start: %v", err)
		}
	}
}

// request makes a request and returns the response's status, header and body.
func (s *sample) request(method, path string, header http.Header, body []byte) (int, http.Header, string) {
	s.t.Helper()
	req, err := http.NewRequest(method, "http://"+s.address+path, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	maps.Copy(req.Header, header)
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(text)
}

// state is an order as a sample shows it.
type state struct {
	Reference, Status string
	Refunded          int
}

func (s *sample) wantOrder(want state) {
	s.t.Helper()
	status, _, body := s.request("GET", "/orders/"+want.Reference, nil, nil)
	var got state
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 {
		s.t.Fatalf("%d %s, %v", status, body, err)
	}
	if d := cmp.Diff(want, got); d != "" {
		s.t.Errorf("order (-want +got):\n%s", d)
	}
}

// output returns what the sample has printed up to now. Its output arrives with a delay, so it gets
// a webhook of another shop, whose name it prints last.
func (s *sample) output() string {
	s.t.Helper()
	s.flushed++
	shop := fmt.Sprintf("https://flush-%d.example.com", s.flushed)
	body := event(shop, "paid", "none", "none")
	if status, _, text := s.request("POST", "/webhook", signed(s.t, body, 0, s.secret), body); status != 400 {
		s.t.Errorf("a webhook of another shop: %d %s", status, text)
	}
	for deadline := time.Now().Add(startTimeout); !strings.Contains(s.printed.String(), shop); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("the sample does not print %s", shop)
		}
	}
	return s.printed.String()
}

// shipped returns how often the sample has shipped an order.
func (s *sample) shipped(reference string) int {
	s.t.Helper()
	return strings.Count(s.output(), "ship order "+reference)
}

// buy presses the button, and returns where the customer is sent.
func (s *sample) buy() string {
	s.t.Helper()
	status, header, body := s.request("POST", "/buy", nil, nil)
	if status != http.StatusSeeOther {
		s.t.Fatalf("%d %s", status, body)
	}
	return header.Get("Location")
}

// refund calls for a refund with a token.
func (s *sample) refund(reference, token string) (int, string) {
	s.t.Helper()
	status, _, body := s.request("POST", "/orders/"+reference+"/refund", http.Header{"Authorization": {"Bearer " + token}}, nil)
	return status, body
}

// signed returns the header of a delivery that a secret signs, some time from now.
func signed(t *testing.T, body []byte, away time.Duration, secret string) http.Header {
	t.Helper()
	var event struct{ ID string }
	if err := json.Unmarshal(body, &event); err != nil {
		t.Fatal(err)
	}
	h, err := webhook.Sign(event.ID, time.Now().Add(away), body, secret)
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{"Content-Type": {"application/json"}}
	h.Set(header)
	return header
}

// event returns the body of a webhook about an order of 68 yuan.
func event(shop, kind, id, reference string) []byte {
	return fmt.Appendf(nil, `{"id":"evt_%s_%s","type":"order.%[1]s","created_at":1,"shop":"%[3]s","appid":"a","mch_id":"m","simulated":true,`+
		`"data":{"order":{"id":"%[2]s","reference":"%[4]s","status":"%[1]s","total":6800,"currency":"CNY","refunded":0}}}`, kind, id, shop, reference)
}

// settings returns the settings of a sample that trusts the shop.
func (w *world) settings() map[string]string {
	return map[string]string{
		"H5PAY_URL": w.url, "H5PAY_KEY": w.key, "WEBHOOK_SECRET": paytest.WebhookSecret,
		"OPERATOR_TOKEN": operatorToken, "PUBLIC_URL": "http://localhost:3000", "ACCEPT_SIMULATED": "1",
	}
}

// Each sample sells an order, from the button to the refund.
func TestSamplesSell(t *testing.T) {
	t.Parallel()
	for name, command := range samples(t) {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := startSample(t, command, w.settings())
			w.hook.direct(s.address)
			if status, _, body := s.request("GET", "/", nil, nil); status != 200 || !strings.Contains(body, `action="/buy"`) {
				t.Errorf("the page: %d %s", status, body)
			}

			// The first response is lost. The repeated call makes no second order.
			w.loseNext.Store(true)
			bought := s.buy()
			id := w.orderAt(bought)
			if n := w.count(`SELECT COUNT(*) FROM orders`); n != 1 || w.loseNext.Load() {
				t.Errorf("%d orders", n)
			}
			var reference, returnURL string
			if err := w.DB.QueryRow(`SELECT reference, return_url FROM orders WHERE id = ? AND total = 6800`, id).Scan(&reference, &returnURL); err != nil {
				t.Fatal(err)
			}
			if returnURL != "http://localhost:3000/orders/"+reference {
				t.Errorf("the customer returns to %s", returnURL)
			}
			s.wantOrder(state{reference, "new", 0})
			if status, _ := s.refund(reference, operatorToken); status != 409 {
				t.Errorf("a refund before the payment: %d", status)
			}

			// Forged webhooks change nothing.
			paid := event(w.url, "paid", id, reference)
			good := signed(t, paid, 0, paytest.WebhookSecret)
			foreign, cheap := event("https://other.example.com", "paid", id, reference), bytes.Replace(paid, []byte("6800"), []byte("1"), 1)
			for what, forged := range map[string]struct {
				header http.Header
				body   []byte
			}{
				"unsigned":          {nil, paid},
				"another secret":    {signed(t, paid, 0, webhook.NewSecret()), paid},
				"six minutes old":   {signed(t, paid, -6*time.Minute, paytest.WebhookSecret), paid},
				"six minutes ahead": {signed(t, paid, 6*time.Minute, paytest.WebhookSecret), paid},
				"another body":      {good, cheap},
				"another amount":    {signed(t, cheap, 0, paytest.WebhookSecret), cheap},
				"another shop":      {signed(t, foreign, 0, paytest.WebhookSecret), foreign},
			} {
				if status, _, body := s.request("POST", "/webhook", forged.header, forged.body); status != 400 {
					t.Errorf("a webhook with %s: %d %s", what, status, body)
				}
			}
			s.wantOrder(state{reference, "new", 0})
			if n := s.shipped(reference); n != 0 {
				t.Errorf("shipped %d times before the payment", n)
			}

			// The payment is reported once, and repeated.
			w.pay(bought)
			w.deliverEvents()
			sent := w.hook.deliveries()
			if len(sent) != 1 || sent[0].status/100 != 2 {
				t.Fatalf("deliveries: %+v", sent)
			}
			var group sync.WaitGroup
			for range 8 {
				group.Go(func() {
					if status, _, body := s.request("POST", "/webhook", sent[0].header, sent[0].body); status/100 != 2 {
						t.Errorf("the webhook again: %d %s", status, body)
					}
				})
			}
			group.Wait()
			s.wantOrder(state{reference, "paid", 0})
			if n := s.shipped(reference); n != 1 {
				t.Errorf("shipped %d times, want once", n)
			}

			// Only the operator refunds, and once.
			for _, token := range []string{"", "another token"} {
				if status, _ := s.refund(reference, token); status != 401 {
					t.Errorf("a refund with the token %q: %d", token, status)
				}
			}
			w.loseNext.Store(true)
			var first, second struct {
				ID     string
				Amount int
			}
			for _, made := range []any{&first, &second} {
				status, body := s.refund(reference, operatorToken)
				if err := json.Unmarshal([]byte(body), made); err != nil || status != 200 {
					t.Fatalf("a refund: %d %s, %v", status, body, err)
				}
			}
			if n := w.count(`SELECT COUNT(*) FROM refunds`); n != 1 || first != second || first.Amount != 6800 {
				t.Errorf("%d refunds: %+v, %+v", n, first, second)
			}
			w.Sim.Advance(10 * time.Second) // the refund ends, and is notified
			w.Check()
			w.deliverEvents()
			s.wantOrder(state{reference, "paid", 6800})

			// A late payment pays a closed order. Events of other shops are acknowledged and change
			// nothing.
			late := w.orderAt(s.buy())
			if err := w.DB.QueryRow(`SELECT reference FROM orders WHERE id = ?`, late).Scan(&reference); err != nil {
				t.Fatal(err)
			}
			for _, step := range []struct{ kind, reference, want string }{
				{"painted", reference, "new"},
				{"paid", "A-1", "new"},
				{"closed", reference, "closed"},
				{"paid", reference, "paid"},
				{"closed", reference, "paid"},
			} {
				body := event(w.url, step.kind, late, step.reference)
				if status, _, text := s.request("POST", "/webhook", signed(t, body, 0, paytest.WebhookSecret), body); status/100 != 2 {
					t.Errorf("%+v: %d %s", step, status, text)
				}
				s.wantOrder(state{reference, step.want, 0})
			}
			if n := s.shipped(reference); n != 1 {
				t.Errorf("the late order is shipped %d times, want once", n)
			}
			if printed := s.output(); strings.Contains(printed, w.key) || strings.Contains(printed, paytest.WebhookSecret) {
				t.Error("the sample prints a secret")
			}
		})
	}
}

// A sample accepts simulated events only if it is configured for that.
func TestSamplesRejectSimulatedEvents(t *testing.T) {
	t.Parallel()
	for name, command := range samples(t) {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			settings := w.settings()
			delete(settings, "ACCEPT_SIMULATED")
			s := startSample(t, command, settings)
			id := w.orderAt(s.buy())
			var reference string
			if err := w.DB.QueryRow(`SELECT reference FROM orders WHERE id = ?`, id).Scan(&reference); err != nil {
				t.Fatal(err)
			}
			body := event(w.url, "paid", id, reference)
			if status, _, text := s.request("POST", "/webhook", signed(t, body, 0, paytest.WebhookSecret), body); status != 400 {
				t.Errorf("%d %s", status, text)
			}
			s.wantOrder(state{reference, "new", 0})
		})
	}
}

// A rejected call is no order, and the customer is sent nowhere.
func TestSamplesSurviveARejectedCall(t *testing.T) {
	t.Parallel()
	for name, command := range samples(t) {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			settings := w.settings()
			settings["H5PAY_KEY"] = "h5pay_not_a_key"
			s := startSample(t, command, settings)
			if status, header, body := s.request("POST", "/buy", nil, nil); status != 502 || header.Get("Location") != "" {
				t.Errorf("%d %s, to %q", status, body, header.Get("Location"))
			}
			if printed := s.output(); !strings.Contains(printed, "/v1/orders: 401") {
				t.Errorf("it prints %s", printed)
			}
		})
	}
}

// A sample without its settings says which are missing.
func TestSamplesNeedTheirSettings(t *testing.T) {
	t.Parallel()
	good := map[string]string{"H5PAY_URL": "http://localhost:1", "H5PAY_KEY": "h5pay_x", "WEBHOOK_SECRET": paytest.WebhookSecret}
	for name, command := range samples(t) {
		for missing := range good {
			ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
			cmd := exec.CommandContext(ctx, command[0], command[1:]...)
			cmd.Env = os.Environ()
			for setting, value := range good {
				if setting != missing {
					cmd.Env = append(cmd.Env, setting+"="+value)
				}
			}
			out, err := cmd.CombinedOutput()
			cancel()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), missing) {
				t.Errorf("%s without %s: %v, %s", name, missing, err, out)
			}
		}
	}
}

// A sample is short, and Python's and PHP's need their standard library alone.
func TestSamplesAreShort(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(folder + "/*")
	if err != nil || len(files) != 4 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(text, []byte("\n")); n >= 150 {
			t.Errorf("%s has %d lines, want less than 150", file, n)
		}
		if foreign := regexp.MustCompile(`(?m)^\s*(require|include|composer)|pip install`).Find(text); foreign != nil {
			t.Errorf("%s has %q", file, foreign)
		}
	}
}
