package webhook_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"h5pay/webhook"
)

// delivery is a delivery, and a secret to verify it with.
type delivery struct {
	webhook.Header
	Body   []byte
	Secret string
}

// script runs JavaScript with npm's standardwebhooks. It gets input as a value of that
// name, and prints JSON.
func script(t *testing.T, input, output any, code string) {
	t.Helper()
	in, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, "--input-type=module", "-e", `
		import { Webhook } from "standardwebhooks";
		import { readFileSync } from "node:fs";
		const input = JSON.parse(readFileSync(0, "utf8"));
		`+code)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, output); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
}

// inJavaScript returns the error of npm's library for each delivery, "" for a valid one.
func inJavaScript(t *testing.T, all []delivery) []string {
	t.Helper()
	var outcomes []string
	script(t, all, &outcomes, `
		console.log(JSON.stringify(input.map(({ ID, Timestamp, Signature, Body, Secret }) => {
			const headers = { "webhook-id": ID, "webhook-timestamp": Timestamp, "webhook-signature": Signature };
			try {
				new Webhook(Secret).verify(Buffer.from(Body, "base64"), headers, { jsonParse: false });
			} catch (err) {
				return err.message;
			}
			return "";
		})));`)
	if len(outcomes) != len(all) {
		t.Fatalf("%d outcomes of %d deliveries", len(outcomes), len(all))
	}
	return outcomes
}

// inGo returns the error of the Go library for a delivery, nil for a valid one.
func inGo(d delivery) error {
	library, err := standardwebhooks.NewWebhook(d.Secret)
	if err != nil {
		return err
	}
	header := http.Header{}
	d.Header.Set(header)
	return library.Verify(d.Body, header)
}

// The Standard Webhooks libraries for Go and JavaScript accept and reject what the
// package does.
func TestLibrariesVerifyOurSignatures(t *testing.T) {
	t.Parallel()
	const body = `{"id":"evt_1","data":{"order":{"items":[{"name":"高山乌龙茶"}]}}}`
	now := func(secrets ...string) webhook.Header { return sign(t, "evt_1", body, 0, secrets...) }
	with := func(change func(*webhook.Header)) webhook.Header { h := now(secret); change(&h); return h }
	ours := func(h webhook.Header) delivery { return delivery{h, []byte(body), secret} }
	for name, test := range map[string]struct {
		delivery
		valid bool
	}{
		"good":                             {ours(now(secret)), true},
		"four minutes old":                 {ours(sign(t, "evt_1", body, -4*time.Minute, secret)), true},
		"four minutes ahead":               {ours(sign(t, "evt_1", body, 4*time.Minute, secret)), true},
		"signed with both, old receiver":   {delivery{now(secret, oldSecret), []byte(body), oldSecret}, true},
		"signed with both, new receiver":   {delivery{now(secret, oldSecret), []byte(body), secret}, true},
		"signed with both, other receiver": {delivery{now(secret, oldSecret), []byte(body), webhook.NewSecret()}, false},
		"signed with the old one":          {ours(now(oldSecret)), false},
		"old":                              {ours(sign(t, "evt_1", body, -6*time.Minute, secret)), false},
		"from the future":                  {ours(sign(t, "evt_1", body, 6*time.Minute, secret)), false},
		"another body":                     {delivery{now(secret), []byte(body + " "), secret}, false},
		"another id":                       {ours(with(func(h *webhook.Header) { h.ID = "evt_2" })), false},
		"another time":                     {ours(with(func(h *webhook.Header) { h.Timestamp = fmt.Sprint(time.Now().Unix() - 60) })), false},
		"half a signature":                 {ours(with(func(h *webhook.Header) { h.Signature = h.Signature[:20] })), false},
		"no signature":                     {ours(with(func(h *webhook.Header) { h.Signature = "" })), false},
		"another version":                  {ours(with(func(h *webhook.Header) { h.Signature = "v1a" + h.Signature[2:] })), false},
		"beside another version":           {ours(with(func(h *webhook.Header) { h.Signature = "v1a,AAAA " + h.Signature })), true},
	} {
		if err := webhook.Verify(test.Header, test.Body, time.Now(), test.Secret); (err == nil) != test.valid {
			t.Errorf("%s: the package returned %v", name, err)
		}
		if err := inGo(test.delivery); (err == nil) != test.valid {
			t.Errorf("%s: Go's library returned %v", name, err)
		}
		if text := inJavaScript(t, []delivery{test.delivery})[0]; (text == "") != test.valid {
			t.Errorf("%s: JavaScript's library returned %q", name, text)
		}
	}
}

// The package accepts what the libraries for Go and JavaScript sign.
func TestPackageVerifiesTheLibraries(t *testing.T) {
	t.Parallel()
	at := time.Now().Truncate(time.Second)
	for _, body := range []string{`{"id":"evt_1"}`, `{"name":"高山乌龙茶"}`, "", strings.Repeat("a", 1<<16)} {
		library, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		inGo, err := library.Sign("evt_1", at, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		var inJavaScript string
		script(t, map[string]any{"secret": secret, "body": body, "at": at.UnixMilli()}, &inJavaScript,
			`console.log(JSON.stringify(new Webhook(input.secret).sign("evt_1", new Date(input.at), input.body)));`)
		for name, signature := range map[string]string{"Go": inGo, "JavaScript": inJavaScript} {
			h := webhook.Header{ID: "evt_1", Timestamp: fmt.Sprint(at.Unix()), Signature: signature}
			if err := webhook.Verify(h, []byte(body), at, oldSecret, secret); err != nil {
				t.Errorf("%s, %.20q: %v", name, body, err)
			}
			if err := webhook.Verify(h, []byte(body), at, oldSecret); err == nil {
				t.Errorf("%s, %.20q: valid with another secret", name, body)
			}
		}
	}
}

// The documents have a delivery with which receivers can test their code.
func TestDocumentsHoldAValidExample(t *testing.T) {
	t.Parallel()
	secret := regexp.MustCompile("`(whsec_[A-Za-z0-9+/]{43}=)`")
	id := regexp.MustCompile("`(evt_0)`")
	timestamp := regexp.MustCompile("`([0-9]{10})`")
	body := regexp.MustCompile("`({\"id\":\"evt_0\"})`")
	signature := regexp.MustCompile("`(v1,[A-Za-z0-9+/]{43}=)`")
	for _, name := range []string{"../../docs/webhooks.md", "../../docs/webhooks.zh-CN.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		find := func(what *regexp.Regexp) string {
			found := what.FindAllSubmatch(text, -1)
			if len(found) != 1 {
				t.Fatalf("%s has %d of %s", name, len(found), what)
			}
			return string(found[0][1])
		}
		h := webhook.Header{ID: find(id), Timestamp: find(timestamp), Signature: find(signature)}
		if err := webhook.Verify(h, []byte(find(body)), time.Unix(1767225600, 0), find(secret)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
