package wechat

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// The account of the tests. The simulator's defaults are others.
const (
	testAppID  = "wx0123456789abcdef"
	testMchID  = "1230000109"
	testSecret = "SECRETsecretSECRETsecretSECRET01"
	testKey    = "APIKEYapikeyAPIKEYapikeyAPIKEY02"
	testOpenID = "oTestUserOpenID-0123456_abcd"
	testNo     = "H5PAY20260301_0001"
)

// An answer makes the response to a request.
type answer func(r *http.Request, body []byte) (*http.Response, error)

// script is a Doer that responds in WeChat's place and keeps the requests.
type script struct {
	t      *testing.T
	answer answer
	urls   []*url.URL
	bodies []string
}

func (s *script) Do(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			s.t.Errorf("reading the request: %v", err)
		}
	}
	if int64(len(body)) != r.ContentLength {
		s.t.Errorf("ContentLength is %d, the body has %d bytes", r.ContentLength, len(body))
	}
	s.urls, s.bodies = append(s.urls, r.URL), append(s.bodies, string(body))
	return s.answer(r, body)
}

func respond(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"text/plain"}}, Body: io.NopCloser(strings.NewReader(body))}
}

// says makes a body with status 200 the response to every request.
func says(body string) answer {
	return func(*http.Request, []byte) (*http.Response, error) { return respond(http.StatusOK, body), nil }
}

// status answers every request with a status and a body.
func status(code int, body string) answer {
	return func(*http.Request, []byte) (*http.Response, error) { return respond(code, body), nil }
}

// newClient makes a Client that talks to answer.
func newClient(t *testing.T, a answer, change ...func(*Config)) (*Client, *script) {
	t.Helper()
	s := &script{t: t, answer: a}
	cfg := Config{
		AppID: testAppID, AppSecret: testSecret, MchID: testMchID, APIKey: testKey,
		Doer: s, CertDoer: s, Now: func() time.Time { return time.Unix(1772330400, 0) },
	}
	for _, c := range change {
		c(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

// message is a flat message of the tests, in no order.
type message map[string]string

// with returns a copy with some fields replaced, or removed by "-".
func (m message) with(pairs ...string) message {
	m = maps.Clone(m)
	for i := 0; i < len(pairs); i += 2 {
		if m[pairs[i]] = pairs[i+1]; pairs[i+1] == "-" {
			delete(m, pairs[i])
		}
	}
	return m
}

// digest signs by hand. It shares no code with Sign: the two check each other.
func (m message) digest(key string, t SignType) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if name != "sign" && m[name] != "" {
			parts = append(parts, name+"="+m[name])
		}
	}
	text := strings.Join(append(parts, "key="+key), "&")
	if t == SignMD5 {
		return fmt.Sprintf("%X", md5.Sum([]byte(text)))
	}
	h := hmac.New(sha256.New, []byte(key))
	io.WriteString(h, text)
	return fmt.Sprintf("%X", h.Sum(nil))
}

// signed writes the message with a good signature.
func (m message) signed(t SignType) string {
	return m.with("sign", m.digest(testKey, t)).xml()
}

// xml writes the message as it is.
func (m message) xml() string {
	var b strings.Builder
	b.WriteString("<xml>\n")
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	for _, name := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(&b, "  <%s>%s</%s>\n", name, escape.Replace(m[name]), name)
	}
	return b.String() + "</xml>\n"
}

// readMessage parses what a Client sent.
func readMessage(t *testing.T, body string) message {
	t.Helper()
	fields, err := parse([]byte(body))
	if err != nil {
		t.Fatalf("%v in %q", err, body)
	}
	m := message{}
	for _, f := range fields {
		m[f.Name] = f.Value
	}
	return m
}

// wantError checks an error's kind and code and that it shows nothing private.
func wantError(t *testing.T, err error, kind Kind, code string) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v, want an *Error of kind %v", err, kind)
	}
	if e.Kind != kind || e.Code != code {
		t.Errorf("error is of kind %v, code %q, want %v, %q: %v", e.Kind, e.Code, kind, code, err)
	}
	for _, private := range []string{testSecret, testKey, testOpenID, "THECODE", "TOKEN", "<xml", "http://", "https://"} {
		if text := fmt.Sprintf("%v %+v %#v", err, err, e); strings.Contains(text, private) {
			t.Errorf("the error shows %q: %s", private, text)
		}
	}
	return e
}

// unread fails a test whose call should not have sent anything.
func unread(t *testing.T) answer {
	return func(r *http.Request, body []byte) (*http.Response, error) {
		t.Errorf("sent %s %s", r.Method, bytes.TrimSpace(body))
		return nil, errors.New("unexpected request")
	}
}
