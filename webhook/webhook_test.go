package webhook_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/webhook"
)

const (
	secret = "a webhook secret of 32 characters"
	other  = "another secret, as long as needed"
)

var (
	now  = time.Unix(1767225600, 0)
	body = []byte(`{"id":"evt_1","type":"order.paid","created_at":1767225599000,"data":{"order":{"id":"o1","total":6800},"refund":null}}`)
)

// The vector was made by openssl; a receiver in another
// language can be tried with it.
func TestSignatureOfAKnownBody(t *testing.T) {
	const want = "t=1767225600,v1=808e36bf492a7f1728c0b04c21323d8c304cfa3e18a4dff1f7fc333a3e0ba644"
	got := webhook.Sign(time.Unix(1767225600, 0), []byte(`{"id":"evt_0"}`), "0123456789abcdef0123456789abcdef")
	if got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestVerify(t *testing.T) {
	good := webhook.Sign(now, body, secret)
	hex := good[strings.Index(good, "v1=")+3:]
	for name, test := range map[string]struct {
		header  string
		body    string
		now     time.Time
		secrets []string
		want    error
	}{
		"good":                        {},
		"five minutes old":            {now: now.Add(5 * time.Minute)},
		"older":                       {now: now.Add(5*time.Minute + time.Second), want: webhook.ErrTime},
		"five minutes ahead":          {now: now.Add(-5 * time.Minute)},
		"from the future":             {now: now.Add(-5*time.Minute - time.Second), want: webhook.ErrTime},
		"another secret":              {secrets: []string{other}, want: webhook.ErrSignature},
		"one of two secrets":          {secrets: []string{other, secret}},
		"no secret":                   {secrets: []string{}, want: webhook.ErrSignature},
		"an empty secret":             {secrets: []string{""}, header: webhook.Sign(now, body, ""), want: webhook.ErrSecret},
		"an empty secret beside":      {secrets: []string{"", secret}, want: webhook.ErrSecret},
		"signed with two":             {header: webhook.Sign(now, body, other, secret)},
		"another body":                {body: string(body) + " ", want: webhook.ErrSignature},
		"no body":                     {body: "\x00", want: webhook.ErrSignature},
		"another time":                {header: strings.Replace(good, "t=1767225600", "t=1767225601", 1), want: webhook.ErrSignature},
		"an old one with a new time":  {header: strings.Replace(webhook.Sign(now.Add(-time.Hour), body, secret), "t=1767222000", "t=1767225600", 1), want: webhook.ErrSignature},
		"time as the sender wrote it": {header: strings.Replace(good, "t=", "t=0", 1), want: webhook.ErrSignature},
		"upper case":                  {header: "t=1767225600,v1=" + strings.ToUpper(hex)},
		"another order":               {header: "v1=" + hex + ",t=1767225600"},
		"with a later version":        {header: good + ",v2=zzz,x"},
		"only a later version":        {header: "t=1767225600,v2=" + hex, want: webhook.ErrNoSignature},
		"half a signature":            {header: good[:len(good)-2], want: webhook.ErrNoSignature},
		"half, and a whole":           {header: good[:len(good)-2] + ",v1=" + hex},
		"not hexadecimal":             {header: "t=1767225600,v1=" + strings.Repeat("z", 64), want: webhook.ErrNoSignature},
		"no header":                   {header: " ", want: webhook.ErrNoSignature},
		"no time":                     {header: "v1=" + hex, want: webhook.ErrNoSignature},
		"two times":                   {header: "t=1767225600," + good, want: webhook.ErrNoSignature},
		"negative":                    {header: "t=-1767225600,v1=" + hex, want: webhook.ErrNoSignature},
		"a time beyond all":           {header: "t=" + strings.Repeat("9", 30) + ",v1=" + hex, want: webhook.ErrSignature},
		"endless":                     {header: good + strings.Repeat(",v1="+hex, 100), want: webhook.ErrNoSignature},
	} {
		if test.header == "" {
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
		if err := webhook.Verify(test.header, []byte(test.body), test.now, webhook.Tolerance, test.secrets...); !errors.Is(err, test.want) || err == nil != (test.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

// A signature over a time that no clock shows is no way around the tolerance.
func TestTimeIsCheckedEvenWhenItIsSigned(t *testing.T) {
	for _, at := range []time.Time{time.Unix(0, 0), time.Unix(1<<60, 0), now.Add(-24 * time.Hour)} {
		if err := webhook.Verify(webhook.Sign(at, body, secret), body, now, webhook.Tolerance, secret); !errors.Is(err, webhook.ErrTime) {
			t.Errorf("%s: %v", at, err)
		}
	}
}

func TestReceive(t *testing.T) {
	r := httptest.NewRequest("POST", "/h5pay", strings.NewReader(string(body)))
	r.Header.Set(webhook.SignatureHeader, webhook.Sign(now, body, secret))
	got, err := webhook.Receive(r, now, secret)
	if err != nil {
		t.Fatal(err)
	}
	want := webhook.Event{ID: "evt_1", Type: webhook.OrderPaid, CreatedAt: 1767225599000, Data: webhook.Data{Order: webhook.Order{ID: "o1", Total: 6800}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// An event says whose it is. One of a simulated WeChat is taken only by who asks for
// it, however valid its signature is.
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
		r := httptest.NewRequest("POST", "/h5pay", strings.NewReader(test.body))
		r.Header.Set(webhook.SignatureHeader, webhook.Sign(now, []byte(test.body), secret))
		e, err := test.receiver.Receive(r, now)
		if !errors.Is(err, test.want) && (test.want != errAny || err == nil) || (err == nil) != (e.ID != "") {
			t.Errorf("%s: %+v, %v, want %v", name, e, err, test.want)
		}
	}
	// The function without a Receiver is the strict one.
	r := httptest.NewRequest("POST", "/h5pay", strings.NewReader(simulated))
	r.Header.Set(webhook.SignatureHeader, webhook.Sign(now, []byte(simulated), secret))
	if _, err := webhook.Receive(r, now, secret); !errors.Is(err, webhook.ErrSimulated) {
		t.Errorf("Receive: %v", err)
	}
}

// errAny stands for any error.
var errAny = errors.New("any")

func TestReceiveRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"not an event": "[]",
		"not JSON":     "order.paid",
		"endless":      strings.Repeat(" ", 1<<20+1),
	} {
		r := httptest.NewRequest("POST", "/h5pay", strings.NewReader(text))
		r.Header.Set(webhook.SignatureHeader, webhook.Sign(now, []byte(text), secret))
		if e, err := webhook.Receive(r, now, secret); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
	r := httptest.NewRequest("POST", "/h5pay", strings.NewReader(string(body)))
	if _, err := webhook.Receive(r, now, secret); !errors.Is(err, webhook.ErrNoSignature) {
		t.Errorf("without a header: %v", err)
	}
}

// No header makes Verify panic, or accept what nobody has signed.
func FuzzVerify(f *testing.F) {
	f.Add(webhook.Sign(now, body, secret), body)
	f.Add("t=1,v1=00", []byte{})
	f.Add(",=,t=,v1=,v1", []byte("x"))
	f.Fuzz(func(t *testing.T, header string, text []byte) {
		if webhook.Verify(header, text, now, webhook.Tolerance, secret) == nil && string(text) != string(body) {
			t.Errorf("%q verifies over %q", header, text)
		}
	})
}
