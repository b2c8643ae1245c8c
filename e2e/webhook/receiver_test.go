// Package webhook_test tries the two sample receivers, in Go and in JavaScript,
// with the same deliveries.
package webhook_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/cleanup"
	"h5pay/webhook"
)

const (
	shopURL   = "https://shop.example.com"
	secret    = "whsec_YSB3ZWJob29rIHNlY3JldCBvZiB0aGUgdGVzdHMsIDEyMzQ="
	oldSecret = "whsec_dGhlIHdlYmhvb2sgc2VjcmV0IGJlZm9yZSB0aGF0LCA1Njc="
	node      = "../../node_modules/.bin/node"
	sample    = "../../examples/webhook/receiver.mjs"
)

// TestMain ends every process that a test started.
func TestMain(m *testing.M) { cleanup.Main(m.Run) }

// sign signs a delivery of an event, now or some time away.
func sign(t *testing.T, id, body string, away time.Duration, secrets ...string) webhook.Header {
	t.Helper()
	h, err := webhook.Sign(id, time.Now().Add(away), []byte(body), secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// Both receivers, as they stand in the documents.
func TestSamplesAtWork(t *testing.T) {
	t.Parallel()
	for name, command := range samples(t) {
		t.Run(name, func(t *testing.T) {
			url, printed := start(t, exec.Command(command[0], command[1:]...))
			const order = `"order":{"id":"o1","total":6800,"refunded":800},"payment":{"transaction_id":"4200001"}`
			paid := `{"id":"evt_1","shop":"` + shopURL + `","type":"order.paid","created_at":1,"data":{` + order + `}}`
			// The shop's database was restored, and the event was made again.
			anew := strings.Replace(paid, `"created_at":1`, `"created_at":9`, 1)
			back := `{"id":"evt_2","shop":"` + shopURL + `","type":"order.refunded","created_at":2,"data":{` + order + `,"refund":{"id":"r1","amount":800}}}`
			closed := `{"id":"evt_3","shop":"` + shopURL + `","type":"order.closed","created_at":3,"data":{` + order + `}}`
			simulated := strings.Replace(closed, `"created_at"`, `"simulated":true,"created_at"`, 1)
			foreign := strings.Replace(closed, shopURL, "https://other.example.com", 1)
			later := `{"id":"evt_4","shop":"` + shopURL + `","type":"order.painted","created_at":4,"data":{` + order + `}}`
			id := regexp.MustCompile(`"id":"(evt_\d)"`)
			signed := func(body string, away time.Duration, secrets ...string) webhook.Header {
				return sign(t, id.FindStringSubmatch(body)[1], body, away, secrets...)
			}
			for _, delivery := range []struct {
				body   string
				header webhook.Header
				status int
			}{
				{paid, signed(paid, 0, secret), 204},
				{paid, signed(paid, time.Second, secret), 204}, // the acknowledgement was lost
				{anew, signed(anew, 0, secret), 204},
				{back, signed(back, 0, webhook.NewSecret()), 400},
				{back, signed(back, 0, webhook.NewSecret(), oldSecret), 204},
				{strings.Replace(paid, "6800", "1", 1), signed(paid, 0, secret), 400},
				{closed, signed(closed, -6*time.Minute, secret), 400},
				{simulated, signed(simulated, 0, secret), 400},
				{foreign, signed(foreign, 0, secret), 400},
				{closed, signed(closed, 0, secret), 204},
				{later, signed(later, 0, secret), 204},
				{paid, webhook.Header{}, 400},
				{strings.Repeat(" ", 1<<20+1), webhook.Header{}, 0}, // 400 or 413, or a connection that ends
			} {
				status, err := post(url, delivery.body, delivery.header)
				if delivery.status != 0 && (status != delivery.status || err != nil) {
					t.Errorf("%.60s: %d, %v; want %d", delivery.body, status, err, delivery.status)
				}
			}
			// The library that verifies the signature has the texts of its errors.
			says := func(ours, theirs string) string {
				if name == "go" {
					return "rejected: webhook: " + ours
				}
				return "rejected: " + theirs
			}
			rejected := says("no signature matches", "No matching signature found")
			want := []string{
				"ship order o1: 6800 fen paid by 4200001",
				"again: evt_1",
				"again: evt_1",
				rejected,
				"refund r1 of order o1: 800 fen, 800 of 6800 in all",
				rejected,
				says("webhook-timestamp is more than 5 minutes from now", "Message timestamp too old"),
				says("the event is of a simulated WeChat: no money was paid", "the event is of a simulated WeChat: no money was paid"),
				says("the event is of another shop", "the event is of another shop"),
				"release the stock of order o1",
				says("webhook-id, webhook-timestamp or webhook-signature is missing or malformed", "Missing required headers"),
			}
			var got []string
			for len(got) < len(want) {
				select {
				case line := <-printed:
					got = append(got, line)
				case <-time.After(10 * time.Second):
					t.Fatalf("printed only %q", got)
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("printed (-want +got):\n%s", d)
			}
		})
	}
}

// samples returns the command of each sample receiver, by its language.
func samples(t *testing.T) map[string][]string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "receiver")
	if out, err := exec.Command("go", "build", "-o", binary, "../../examples/webhook").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return map[string][]string{"go": {binary}, "javascript": {node, sample}}
}

// A receiver with a bad setting does not start. It names the setting in one line, and
// prints no secret.
func TestSamplesRejectBadSettings(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	short := "whsec_" + strings.Repeat("c2hv", 7) + "cg==" // 22 bytes
	for name, command := range samples(t) {
		for _, bad := range []struct{ setting, value string }{
			{"WEBHOOK_SECRET", ""},
			{"WEBHOOK_SECRET", short},
			{"WEBHOOK_SECRET", strings.Repeat("3f9c1a07", 8)}, // without whsec_
			{"WEBHOOK_SECRET", "whsec_" + strings.Repeat("c2hv", 22)},
			{"WEBHOOK_SECRET", "whsec_" + strings.Repeat("not-base64", 4)},
			{"WEBHOOK_SECRET_OLD", short},
			{"WEBHOOK_SECRET_OLD", "whsec_"},
			{"PORT", "none-such"},
			{"PORT", "-1"},
			{"PORT", "65536"},
			{"PORT", fmt.Sprint(taken.Addr().(*net.TCPAddr).Port)},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			cmd := exec.CommandContext(ctx, command[0], command[1:]...)
			cmd.Env = append(os.Environ(), "WEBHOOK_SECRET="+secret, bad.setting+"="+bad.value)
			var stdout, stderr strings.Builder
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			err := cmd.Run()
			cancel()
			var exit *exec.ExitError
			text := stderr.String()
			if !errors.As(err, &exit) || exit.ExitCode() != 1 || stdout.Len() > 0 || strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, bad.setting) {
				t.Errorf("%s, %s=%s: %v, printed %q and %q", name, bad.setting, bad.value, err, stdout.String(), text)
			}
			if strings.HasPrefix(bad.setting, "WEBHOOK_") && len(bad.value) > 6 && strings.Contains(text, bad.value) {
				t.Errorf("%s, %s: the message holds the secret", name, bad.setting)
			}
		}
	}
}

// start starts a receiver and returns where it listens and what it prints from
// then on.
func start(t *testing.T, cmd *exec.Cmd) (url string, printed <-chan string) {
	t.Helper()
	cmd.Env = append(os.Environ(), "PORT=0", "WEBHOOK_SECRET="+secret, "SHOP_URL="+shopURL, "WEBHOOK_SECRET_OLD="+oldSecret)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	lines := make(chan string, 100)
	go func() {
		for in := bufio.NewScanner(out); in.Scan(); {
			lines <- in.Text()
		}
	}()
	select {
	case line := <-lines:
		if _, url, ok := strings.Cut(line, "receiver listens at "); ok {
			return url, lines
		}
		t.Fatalf("it printed %q", line)
	case <-time.After(30 * time.Second):
		t.Fatal("the receiver does not start")
	}
	return "", nil
}

func post(url, body string, header webhook.Header) (int, error) {
	req, err := http.NewRequest("POST", url, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	if header != (webhook.Header{}) {
		header.Set(req.Header)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, fmt.Errorf("delivering: %w", err)
	}
	defer res.Body.Close()
	io.Copy(io.Discard, res.Body)
	return res.StatusCode, nil
}
