// Package webhook_test tries the two sample receivers, in Go and in JavaScript,
// with the same deliveries.
package webhook_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/cleanup"
	"h5pay/webhook"
)

const (
	shopURL   = "https://shop.example.com"
	secret    = "a webhook secret of the tests, 1234"
	oldSecret = "the webhook secret before that, 567"
	node      = "../../node_modules/.bin/node"
	sample    = "../../examples/webhook/receiver.mjs"
)

// check is one call of verify.
type check struct {
	Header  string   `json:"header"`
	Body    []byte   `json:"body"`
	Secrets []string `json:"secrets"`
	Now     int64    `json:"now"` // Unix ms
}

// TestMain has whatever a test starts ended with the tests.
func TestMain(m *testing.M) { cleanup.Main(m.Run) }

// checks are deliveries of all kinds, most of them bad.
func checks() []check {
	now := time.Unix(1767225600, 0)
	body := []byte(`{"id":"evt_1","data":{"order":{"items":[{"name":"高山乌龙茶"}]}}}`)
	good := webhook.Sign(now, body, secret)
	hex := good[strings.Index(good, "v1=")+3:]
	one := check{good, body, []string{secret}, now.UnixMilli()}
	all := []check{one}
	for _, header := range []string{
		"", " ", ",", "t", "v1", "t=,v1=" + hex, "t=1767225600", "v1=" + hex, "v1=" + hex + ",t=1767225600",
		strings.ToUpper(good), "t=1767225600,v1=" + strings.ToUpper(hex), good + ",v2=zzz,x", "t=1767225600,v2=" + hex,
		good[:len(good)-1], good[:len(good)-1] + ",v1=" + hex, "t=1767225600,v1=" + strings.Repeat("z", 64),
		"t=1767225600," + good, "t=-1767225600,v1=" + hex, "t=01767225600,v1=" + hex, "t=1767225601,v1=" + hex, "t= 1767225600,v1=" + hex,
		"t=1767225600\n,v1=" + hex, "t=1767225600,v1=" + hex + "\n", "t=1767225600, v1=" + hex, "t=1767225600,v1==" + hex,
		"t=" + strings.Repeat("9", 30) + ",v1=" + hex, good + strings.Repeat(",v1="+hex, 58), good + strings.Repeat(",v1="+hex, 100),
		webhook.Sign(now, body, oldSecret, secret), webhook.Sign(now, body, oldSecret), webhook.Sign(now, []byte("x"), secret),
		webhook.Sign(time.Unix(0, 0), body, secret), webhook.Sign(time.Unix(1<<60, 0), body, secret),
	} {
		c := one
		c.Header = header
		all = append(all, c)
	}
	for _, text := range []string{"", "x", string(body) + "\n", "\xff\xfe\x00", strings.Repeat("茶", 1000)} {
		c := one
		c.Body = []byte(text)
		all = append(all, c)
		c.Header = webhook.Sign(now, c.Body, secret)
		all = append(all, c)
	}
	for _, secrets := range [][]string{{}, {""}, {oldSecret}, {oldSecret, secret}, {secret, ""}, {"", secret}, {strings.Repeat("茶", 11)}, {strings.Repeat("s", 31)}} {
		c := one
		c.Secrets = secrets
		all = append(all, c)
	}
	for _, away := range []time.Duration{5 * time.Minute, 5*time.Minute + time.Millisecond, 24 * time.Hour} {
		for _, sign := range []time.Duration{1, -1} {
			c := one
			c.Now = now.Add(sign * away).UnixMilli()
			all = append(all, c)
		}
	}
	return all
}

// JavaScript says of every delivery what Go says of it.
func TestSamplesAgree(t *testing.T) {
	all := checks()
	input, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	path, err := filepath.Abs(sample)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, "--input-type=module", "-e", `
		import { verify } from "`+path+`";
		import { readFileSync } from "node:fs";
		const outcomes = [];
		for (const { header, body, secrets, now } of JSON.parse(readFileSync(0, "utf8"))) {
			outcomes.push(await verify(header, Buffer.from(body, "base64"), secrets, now).then(() => "", (err) => err.message));
		}
		console.log(JSON.stringify(outcomes));`)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), os.Stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var theirs []string
	if err := json.Unmarshal(output, &theirs); err != nil || len(theirs) != len(all) {
		t.Fatalf("%d outcomes for %d deliveries, %v", len(theirs), len(all), err)
	}
	seen := map[string]int{}
	for i, c := range all {
		ours := ""
		if err := webhook.Verify(c.Header, c.Body, time.UnixMilli(c.Now), webhook.Tolerance, c.Secrets...); err != nil {
			ours = err.Error()
		}
		if ours != theirs[i] {
			t.Errorf("%+v: Go says %q, JavaScript %q", c, ours, theirs[i])
		}
		seen[ours]++
	}
	if len(seen) != 5 {
		t.Errorf("the deliveries do not have every outcome: %v", seen)
	}
}

// A stranger's header with many signatures costs the receiver in JavaScript one HMAC
// for each secret, as it costs the one in Go.
func TestSampleHashesOnceForEachSecret(t *testing.T) {
	path, err := filepath.Abs(sample)
	if err != nil {
		t.Fatal(err)
	}
	header := "t=1767225600" + strings.Repeat(",v1="+strings.Repeat("0", 64), 59)
	out, err := exec.Command(node, "--input-type=module", "-e", `
		import { verify } from "`+path+`";
		let hashed = 0;
		for (const name of ["sign", "verify", "digest"]) {
			const was = crypto.subtle[name].bind(crypto.subtle);
			crypto.subtle[name] = (...args) => (hashed++, was(...args));
		}
		const secrets = ["`+secret+`", "`+oldSecret+`"];
		await verify("`+header+`", new Uint8Array(1 << 20), secrets, 1767225600000).catch((err) => console.log(hashed, err.message));`).CombinedOutput()
	if want := "2 " + webhook.ErrSignature.Error(); err != nil || strings.TrimSpace(string(out)) != want {
		t.Errorf("%s, %v, want %s", out, err, want)
	}
}

// JavaScript accepts and rejects the events that Go does, by what they are of.
func TestSamplesAgreeOnWhoseEvents(t *testing.T) {
	type attempt struct {
		Event    string         `json:"event"`
		Expected map[string]any `json:"expected"`
		receiver webhook.Receiver
	}
	var all []attempt
	for _, e := range []string{
		`{"shop":"https://a.example","appid":"wx1","mch_id":"1900"}`, `{"shop":"https://a.example","appid":"wx1","mch_id":"1900","simulated":true}`,
		`{"shop":"https://a.example","appid":"wx1","mch_id":"1900","simulated":false}`, `{}`, `{"simulated":true}`,
		`{"shop":"https://b.example","appid":"wx1","mch_id":"1900"}`, `{"shop":"https://a.example","appid":"wx2","mch_id":"1900"}`,
		`{"shop":"https://a.example","appid":"wx1","mch_id":"1901"}`,
	} {
		for _, simulated := range []bool{false, true} {
			all = append(all,
				attempt{e, map[string]any{"shop": "https://a.example", "appid": "wx1", "mchID": "1900", "simulated": simulated},
					webhook.Receiver{Shop: "https://a.example", AppID: "wx1", MchID: "1900", Simulated: simulated}},
				attempt{e, map[string]any{"simulated": simulated}, webhook.Receiver{Simulated: simulated}})
		}
	}
	input, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	path, err := filepath.Abs(sample)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, "--input-type=module", "-e", `
		import { check } from "`+path+`";
		import { readFileSync } from "node:fs";
		console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(({ event, expected }) => {
			try {
				check(JSON.parse(event), expected);
			} catch (err) {
				return err.message;
			}
			return "";
		})));`)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), os.Stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var theirs []string
	if err := json.Unmarshal(output, &theirs); err != nil || len(theirs) != len(all) {
		t.Fatalf("%d outcomes for %d events, %v", len(theirs), len(all), err)
	}
	now := time.Now()
	seen := map[string]bool{}
	for i, a := range all {
		r := httptest.NewRequest("POST", "/h5pay", strings.NewReader(a.Event))
		r.Header.Set(webhook.SignatureHeader, webhook.Sign(now, []byte(a.Event), secret))
		a.receiver.Secrets = []string{secret}
		ours := ""
		if _, err := a.receiver.Receive(r, now); err != nil {
			ours = err.Error()
		}
		if ours != theirs[i] {
			t.Errorf("%s, %+v: Go says %q, JavaScript %q", a.Event, a.Expected, ours, theirs[i])
		}
		seen[ours] = true
	}
	if len(seen) != 5 {
		t.Errorf("the events do not have every outcome: %v", seen)
	}
}

// Both receivers, as they stand in the documents.
func TestSamplesAtWork(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "receiver")
	if out, err := exec.Command("go", "build", "-o", binary, "../../examples/webhook").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, cmd := range map[string]*exec.Cmd{"go": exec.Command(binary), "javascript": exec.Command(node, sample)} {
		t.Run(name, func(t *testing.T) {
			url, printed := start(t, cmd)
			const order = `"order":{"id":"o1","total":6800,"refunded":800,"transaction_id":"4200001"}`
			paid := `{"id":"evt_1","shop":"` + shopURL + `","type":"order.paid","created_at":1,"data":{` + order + `}}`
			// The shop's database was restored, and the event was made again.
			anew := strings.Replace(paid, `"created_at":1`, `"created_at":9`, 1)
			back := `{"id":"evt_2","shop":"` + shopURL + `","type":"order.refunded","created_at":2,"data":{` + order + `,"refund":{"id":"r1","amount":800}}}`
			closed := `{"id":"evt_3","shop":"` + shopURL + `","type":"order.closed","created_at":3,"data":{` + order + `}}`
			simulated := strings.Replace(closed, `"created_at"`, `"simulated":true,"created_at"`, 1)
			foreign := strings.Replace(closed, shopURL, "https://other.example.com", 1)
			later := `{"id":"evt_4","shop":"` + shopURL + `","type":"order.painted","created_at":4,"data":{` + order + `}}`
			now := time.Now()
			for _, delivery := range []struct {
				body, header string
				status       int
			}{
				{paid, webhook.Sign(now, []byte(paid), secret), 204},
				{paid, webhook.Sign(now.Add(time.Second), []byte(paid), secret), 204}, // the acknowledgement was lost
				{anew, webhook.Sign(now, []byte(anew), secret), 204},
				{back, webhook.Sign(now, []byte(back), "not the secret of this receiver!!"), 400},
				{back, webhook.Sign(now, []byte(back), "some other secret of 32 characters", oldSecret), 204},
				{strings.Replace(paid, "6800", "1", 1), webhook.Sign(now, []byte(paid), secret), 400},
				{closed, webhook.Sign(now.Add(-6*time.Minute), []byte(closed), secret), 400},
				{simulated, webhook.Sign(now, []byte(simulated), secret), 400},
				{foreign, webhook.Sign(now, []byte(foreign), secret), 400},
				{closed, webhook.Sign(now, []byte(closed), secret), 204},
				{later, webhook.Sign(now, []byte(later), secret), 204},
				{paid, "", 400},
				{strings.Repeat(" ", 1<<20+1), "", 0}, // 400 or 413, or a connection that ends
			} {
				status, err := post(url, delivery.body, delivery.header)
				if delivery.status != 0 && (status != delivery.status || err != nil) {
					t.Errorf("%.60s: %d, %v; want %d", delivery.body, status, err, delivery.status)
				}
			}
			const refused = "refused: webhook: the signature is not by this secret over this body"
			want := []string{
				"ship order o1: 6800 fen paid by 4200001",
				"again: evt_1",
				"again: evt_1",
				refused,
				"refund r1 of order o1: 800 fen, 800 of 6800 in all",
				refused,
				"refused: webhook: the signature is too old, or from the future",
				"refused: webhook: the event is of a simulated WeChat: no money was paid",
				"refused: webhook: the event is of another shop",
				"release the stock of order o1",
				"refused: webhook: no signature, or none of a known version",
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

func post(url, body, signature string) (int, error) {
	req, err := http.NewRequest("POST", url, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	if signature != "" {
		req.Header.Set(webhook.SignatureHeader, signature)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, fmt.Errorf("delivering: %w", err)
	}
	defer res.Body.Close()
	io.Copy(io.Discard, res.Body)
	return res.StatusCode, nil
}
