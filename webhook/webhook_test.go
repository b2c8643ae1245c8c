package webhook_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/webhook"
)

const (
	secret = "whsec_YSB3ZWJob29rIHNlY3JldCBvZiAzMiBjaGFyYWN0ZXJz"
	other  = "whsec_YW5vdGhlciBzZWNyZXQsIGFzIGxvbmcgYXMgbmVlZGVk"
)

var (
	now  = time.Unix(1767225600, 0)
	body = []byte(`{"id":"evt_1","type":"order.paid","created_at":1767225599000,"data":{"order":{"id":"o1","total":6800},"refund":null}}`)
)

// sign signs a delivery with the id evt_1, which the bodies of these tests have.
func sign(t testing.TB, at time.Time, text []byte, secrets ...string) webhook.Header {
	t.Helper()
	h, err := webhook.Sign("evt_1", at, text, secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// request returns the HTTP request of a delivery.
func request(h webhook.Header, text []byte) *http.Request {
	r := httptest.NewRequest("POST", "/h5pay", bytes.NewReader(text))
	h.Set(r.Header)
	return r
}

// The first vector was made by openssl; docs/webhooks.md prints it for receivers in
// other languages. The second one is of the tests of Standard Webhooks' libraries.
func TestSignatureOfAKnownBody(t *testing.T) {
	for _, vector := range []struct {
		id               string
		at               int64
		body, secret, is string
	}{
		{"evt_0", 1767225600, `{"id":"evt_0"}`, "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "v1,5kUKPvcSoaESuNEYlIERhAA9Jxj+JbpT8d1IsCol/iI="},
		{"msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, `{"test": 2432232314}`, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
	} {
		got, err := webhook.Sign(vector.id, time.Unix(vector.at, 0), []byte(vector.body), vector.secret)
		want := webhook.Header{ID: vector.id, Timestamp: strconv.FormatInt(vector.at, 10), Signature: vector.is}
		if err != nil || got != want {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
}

func TestVerify(t *testing.T) {
	good := sign(t, now, body, secret)
	with := func(change func(*webhook.Header)) webhook.Header { h := good; change(&h); return h }
	signature := func(s string) webhook.Header { return with(func(h *webhook.Header) { h.Signature = s }) }
	timestamp := func(s string) webhook.Header { return with(func(h *webhook.Header) { h.Timestamp = s }) }
	id := func(s string) webhook.Header { return with(func(h *webhook.Header) { h.ID = s }) }
	for name, test := range map[string]struct {
		header  webhook.Header
		body    string
		now     time.Time
		secrets []string
		want    error
	}{
		"good":                     {},
		"five minutes old":         {now: now.Add(5 * time.Minute)},
		"older":                    {now: now.Add(5*time.Minute + time.Second), want: webhook.ErrTime},
		"five minutes ahead":       {now: now.Add(-5 * time.Minute)},
		"from the future":          {now: now.Add(-5*time.Minute - time.Second), want: webhook.ErrTime},
		"another secret":           {secrets: []string{other}, want: webhook.ErrSignature},
		"one of two secrets":       {secrets: []string{other, secret}},
		"no secret":                {secrets: []string{}, want: webhook.ErrSecret},
		"an empty secret":          {secrets: []string{""}, want: webhook.ErrSecret},
		"an empty secret beside":   {secrets: []string{"", secret}, want: webhook.ErrSecret},
		"signed with two":          {header: sign(t, now, body, other, secret)},
		"another body":             {body: string(body) + " ", want: webhook.ErrSignature},
		"no body":                  {body: "\x00", want: webhook.ErrSignature},
		"another time":             {header: timestamp("1767225601"), want: webhook.ErrSignature},
		"an old one, new time":     {header: with(func(h *webhook.Header) { h.Signature = sign(t, now.Add(-time.Hour), body, secret).Signature }), want: webhook.ErrSignature},
		"another form of the time": {header: timestamp("01767225600"), want: webhook.ErrSignature},
		"another id":               {header: id("evt_2"), want: webhook.ErrSignature},
		"another letter case":      {header: id("EVT_1"), want: webhook.ErrSignature},
		"no id":                    {header: id(""), want: webhook.ErrHeader},
		"an id with a full stop":   {header: id("evt_1.1767225600"), want: webhook.ErrHeader},
		"an id with a space":       {header: id("evt 1"), want: webhook.ErrHeader},
		"an id with a line end":    {header: id("evt_1\n"), want: webhook.ErrHeader},
		"an id that is not ASCII":  {header: id("evt_茶"), want: webhook.ErrHeader},
		"a long id":                {header: id(strings.Repeat("e", 256)), want: webhook.ErrHeader},
		"lower case":               {header: signature(strings.ToLower(good.Signature)), want: webhook.ErrSignature},
		"with a later version":     {header: signature("v2,zzz x " + good.Signature + " v1a,AAAA")},
		"only a later version":     {header: signature("v2," + good.Signature[3:]), want: webhook.ErrHeader},
		"asymmetric":               {header: signature("v1a," + good.Signature[3:]), want: webhook.ErrHeader},
		"no version":               {header: signature(good.Signature[3:]), want: webhook.ErrHeader},
		"half a signature":         {header: signature(good.Signature[:len(good.Signature)-2]), want: webhook.ErrSignature},
		"half, and a whole":        {header: signature(good.Signature[:10] + " " + good.Signature)},
		"an empty signature":       {header: signature("v1,"), want: webhook.ErrSignature},
		"no signature":             {header: signature(""), want: webhook.ErrHeader},
		"commas between":           {header: signature(good.Signature + "," + good.Signature), want: webhook.ErrSignature},
		"no time":                  {header: timestamp(""), want: webhook.ErrHeader},
		"a time with a fraction":   {header: timestamp("1767225600.0"), want: webhook.ErrHeader},
		"a time with a sign":       {header: timestamp("+1767225600"), want: webhook.ErrHeader},
		"a negative time":          {header: timestamp("-1767225600"), want: webhook.ErrHeader},
		"a time with a space":      {header: timestamp(" 1767225600"), want: webhook.ErrHeader},
		"a time beyond all":        {header: timestamp(strings.Repeat("9", 30)), want: webhook.ErrHeader},
		"endless":                  {header: signature(good.Signature + strings.Repeat(" "+good.Signature, 100)), want: webhook.ErrHeader},
	} {
		if test.header == (webhook.Header{}) {
			test.header = good
		}
		if test.body == "" {
			test.body = string(body)
		}
		if test.now.IsZero() {
			test.now = now
		}
		if test.secrets == nil {
			test.secrets = []string{secret}
		}
		if err := webhook.Verify(test.header, []byte(test.body), test.now, test.secrets...); !errors.Is(err, test.want) || err == nil != (test.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

// A timestamp far from any clock is rejected, even if it is signed.
func TestTimeIsCheckedEvenWhenItIsSigned(t *testing.T) {
	for _, at := range []time.Time{time.Unix(0, 0), time.Unix(1<<60, 0), now.Add(-24 * time.Hour)} {
		if err := webhook.Verify(sign(t, at, body, secret), body, now, secret); !errors.Is(err, webhook.ErrTime) {
			t.Errorf("%s: %v", at, err)
		}
	}
}

// A secret is short enough and long enough, and has one form.
func TestSecrets(t *testing.T) {
	encoded := func(n int) string { return "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, n)) }
	for name, test := range map[string]struct {
		secret string
		length int // of the key; 0 for an error
	}{
		"24 bytes":           {encoded(24), 24},
		"64 bytes":           {encoded(64), 64},
		"23 bytes":           {encoded(23), 0},
		"65 bytes":           {encoded(65), 0},
		"none":               {"", 0},
		"the prefix":         {"whsec_", 0},
		"no prefix":          {encoded(32)[6:], 0},
		"another prefix":     {"whsk_" + encoded(32)[6:], 0},
		"prefix in capitals": {"WHSEC_" + encoded(32)[6:], 0},
		"no padding":         {strings.TrimRight(encoded(32), "="), 0},
		"of URLs":            {"whsec_" + strings.Repeat("_-", 16), 0},
		"not base64":         {"whsec_" + strings.Repeat("!", 32), 0},
		"stray bits":         {"whsec_" + strings.Repeat("A", 42) + "B=", 0},
		"a line end":         {encoded(32) + "\n", 0},
		"a line end within":  {"whsec_" + strings.Repeat("A", 16) + "\n" + strings.Repeat("A", 16), 0},
	} {
		key, err := webhook.ParseSecret(test.secret)
		if len(key) != test.length || (test.length == 0) != errors.Is(err, webhook.ErrSecret) {
			t.Errorf("%s: %d bytes, %v", name, len(key), err)
		}
		if err != nil && len(test.secret) > 6 && strings.Contains(err.Error(), test.secret) {
			t.Errorf("%s: the error holds the secret", name)
		}
		if _, err := webhook.Sign("evt_1", now, body, secret, test.secret); (err == nil) != (test.length > 0) {
			t.Errorf("%s: signing: %v", name, err)
		}
	}
	one, two := webhook.NewSecret(), webhook.NewSecret()
	if key, err := webhook.ParseSecret(one); err != nil || len(key) != 32 || one == two {
		t.Errorf("a new secret: %d bytes, %v", len(key), err)
	}
}

func TestSignRejectsBadIDs(t *testing.T) {
	for _, id := range []string{"", "evt.1", "evt 1", "evt_1\r\nx: y", "茶"} {
		if h, err := webhook.Sign(id, now, body, secret); !errors.Is(err, webhook.ErrHeader) || h != (webhook.Header{}) {
			t.Errorf("%q: %+v, %v", id, h, err)
		}
	}
	if _, err := webhook.Sign("evt_1", now, body); !errors.Is(err, webhook.ErrSecret) {
		t.Errorf("without a secret: %v", err)
	}
}

func TestReceive(t *testing.T) {
	got, err := webhook.Receive(request(sign(t, now, body, secret), body), now, secret)
	if err != nil {
		t.Fatal(err)
	}
	want := webhook.Event{ID: "evt_1", Type: webhook.OrderPaid, CreatedAt: 1767225599000, Data: webhook.Data{Order: webhook.Order{ID: "o1", Total: 6800}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// An event names its shop, appid and merchant. A receiver accepts one of a simulated WeChat only if
// it is configured for that, even if its signature is valid.
func TestReceiveRejectsEventsOfOthers(t *testing.T) {
	event := func(simulated string) string {
		return `{"id":"evt_1","type":"order.paid","shop":"https://shop.example.com","appid":"wx1","mch_id":"1900"` + simulated + `,"data":{"order":{"id":"o1"}}}`
	}
	real, simulated := event(""), event(`,"simulated":true`)
	ours := webhook.Receiver{Shop: "https://shop.example.com", AppID: "wx1", MchID: "1900"}
	with := func(change func(*webhook.Receiver)) webhook.Receiver { r := ours; change(&r); return r }
	for name, test := range map[string]struct {
		receiver webhook.Receiver
		body     string
		want     error
	}{
		"ours":                      {ours, real, nil},
		"anybody's":                 {webhook.Receiver{}, real, nil},
		"simulated":                 {ours, simulated, webhook.ErrSimulated},
		"anybody's, simulated":      {webhook.Receiver{}, simulated, webhook.ErrSimulated},
		"simulated, asked for":      {with(func(r *webhook.Receiver) { r.Simulated = true }), simulated, nil},
		"real, simulated asked for": {with(func(r *webhook.Receiver) { r.Simulated = true }), real, nil},
		"another shop":              {with(func(r *webhook.Receiver) { r.Shop = "https://other.example.com" }), real, webhook.ErrShop},
		"another appid":             {with(func(r *webhook.Receiver) { r.AppID = "wx2" }), real, webhook.ErrAppID},
		"another merchant":          {with(func(r *webhook.Receiver) { r.MchID = "1901" }), real, webhook.ErrMchID},
		"of nobody":                 {ours, string(body), webhook.ErrShop},
		"simulated, not a boolean":  {webhook.Receiver{}, event(`,"simulated":"true"`), errAny},
	} {
		test.receiver.Secrets = []string{secret}
		r := request(sign(t, now, []byte(test.body), secret), []byte(test.body))
		e, err := test.receiver.Receive(r, now)
		if !errors.Is(err, test.want) && (test.want != errAny || err == nil) || (err == nil) != (e.ID != "") {
			t.Errorf("%s: %+v, %v, want %v", name, e, err, test.want)
		}
	}
	// The function without a Receiver is the strict one.
	r := request(sign(t, now, []byte(simulated), secret), []byte(simulated))
	if _, err := webhook.Receive(r, now, secret); !errors.Is(err, webhook.ErrSimulated) {
		t.Errorf("Receive: %v", err)
	}
}

// errAny stands for any error.
var errAny = errors.New("any")

func TestReceiveRejects(t *testing.T) {
	for name, text := range map[string]string{
		"not an event": "[]",
		"not JSON":     "order.paid",
		"endless":      strings.Repeat(" ", 1<<20+1),
	} {
		r := request(sign(t, now, []byte(text), secret), []byte(text))
		if e, err := webhook.Receive(r, now, secret); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
	r := httptest.NewRequest("POST", "/h5pay", bytes.NewReader(body))
	if _, err := webhook.Receive(r, now, secret); !errors.Is(err, webhook.ErrHeader) {
		t.Errorf("without a header: %v", err)
	}
	// The signature is valid, but the body is about another event.
	h, err := webhook.Sign("evt_2", now, body, secret)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := webhook.Receive(request(h, body), now, secret); !errors.Is(err, webhook.ErrID) {
		t.Errorf("with another id in the header: %v", err)
	}
}

// No header makes Verify panic or accept an unsigned body.
func FuzzVerify(f *testing.F) {
	good := sign(f, now, body, secret)
	f.Add(good.ID, good.Timestamp, good.Signature, body)
	f.Add("evt_1", "1", "v1,00", []byte{})
	f.Add("evt_1.1767225600", "{", "v1, v1,v1 ,", []byte("x"))
	f.Fuzz(func(t *testing.T, id, timestamp, signature string, text []byte) {
		h := webhook.Header{ID: id, Timestamp: timestamp, Signature: signature}
		if webhook.Verify(h, text, now, secret) == nil && (string(text) != string(body) || id != good.ID || timestamp != good.Timestamp) {
			t.Errorf("%+v verifies over %q", h, text)
		}
	})
}
