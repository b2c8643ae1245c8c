package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"h5pay/internal/api"
)

// fake is a web view on paper: it records where it was sent, and a script
// answers its calls.
type fake struct {
	t       *testing.T
	address *url.URL
	ua      string
	storage map[string]string // nil: storage is blocked
	tag     string            // navigator.language
	spoken  string            // <html lang>

	// script answers the calls of one "METHOD /path" in order; the last answer
	// is given again and again.
	mu     sync.Mutex
	script map[string][]any
	calls  []string // "METHOD /path body"

	taken   string   // what site/check.js took off the address
	went    []string // by Assign or Replace
	invoked int
	says    payReply
	bridge  error
	hold    chan struct{} // while it is open, the payment sheet is
	slept   time.Duration
	copied  string
	noCopy  error
	mini    bool           // in a mini program's web view
	now     time.Time      // the signer's clock; a nap moves it on
	naps    chan struct{}  // unless nil, a nap ends when it is let
	dialog  string         // the one that is open
	key     func(string)   // from OnKey
	back    func(returned) // from OnReturn
}

const wechatUA = "Mozilla/5.0 (Linux; Android 14) Mobile Safari/537.36 MicroMessenger/8.0.49.2600"

func newFake(t *testing.T, address string) *fake {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return &fake{t: t, address: u, ua: wechatUA, tag: "zh-CN", storage: map[string]string{}, script: map[string][]any{}}
}

// on adds answers: a value for 200, an api.Code for an error, an error for no
// answer at all, an answer for anything else.
func (f *fake) on(call string, answers ...any) *fake {
	f.script[call] = append(f.script[call], answers...)
	return f
}

func (f *fake) Path() string      { return f.address.Path }
func (f *fake) Query() string     { return f.address.RawQuery }
func (f *fake) Href() string      { return f.address.String() }
func (f *fake) UserAgent() string { return f.ua }
func (f *fake) Landing() string {
	taken := f.taken
	f.taken = ""
	return taken
}
func (f *fake) ReplaceAddress(to string) {
	u, err := f.address.Parse(to)
	if err != nil {
		f.t.Fatal(err)
	}
	f.address = u
}
func (f *fake) Assign(to string)          { f.went = append(f.went, to) }
func (f *fake) Replace(to string)         { f.went = append(f.went, to) }
func (f *fake) Language() string          { return f.tag }
func (f *fake) Setting(key string) string { return f.Recall("kept " + key) }
func (f *fake) Set(key, value string)     { f.Remember("kept "+key, value) }
func (f *fake) ForgetPerson() {
	for key := range f.storage {
		if personal(strings.TrimPrefix(key, "kept ")) {
			delete(f.storage, key)
		}
	}
}
func (f *fake) Speak(tag string) { f.spoken = tag }
func (f *fake) OnReturn(back func(returned)) (stop func()) {
	f.back = back
	return func() { f.back = func(returned) {} }
}
func (f *fake) Recall(key string) string { return f.storage[key] }
func (f *fake) Remember(key, value string) {
	switch {
	case f.storage == nil:
	case value == "":
		delete(f.storage, key)
	default:
		f.storage[key] = value
	}
}

func (f *fake) Fetch(ctx context.Context, method, path string, body []byte) (answer, error) {
	if err := ctx.Err(); err != nil {
		return answer{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	call := method + " " + path
	f.calls = append(f.calls, strings.TrimSpace(call+" "+string(body)))
	answers := f.script[call]
	if len(answers) == 0 {
		f.t.Errorf("unexpected call %s %s", call, body)
		return answer{}, errors.New("not in the script")
	}
	if len(answers) > 1 {
		f.script[call] = answers[1:]
	}
	switch a := answers[0].(type) {
	case error:
		return answer{}, a
	case answer:
		return a, nil
	case api.Code:
		text, _ := json.Marshal(api.Error{Code: a, Message: "scripted", RequestID: "request-1"})
		return answer{Status: a.Status(), Body: text}, nil
	default:
		text, err := json.Marshal(a)
		if err != nil {
			f.t.Error(err)
		}
		return answer{Status: 200, Body: text}, nil
	}
}

func (f *fake) InvokePay(ctx context.Context, _ api.PayParams) (payReply, error) {
	f.invoked++
	if f.hold != nil {
		select {
		case <-f.hold:
		case <-ctx.Done():
			return payReply{}, ctx.Err()
		}
	}
	return f.says, f.bridge
}

func (f *fake) Copy(_ context.Context, text string) error {
	if f.noCopy == nil {
		f.copied = text
	}
	return f.noCopy
}

func (f *fake) Sleep(ctx context.Context, d time.Duration) error {
	if f.naps != nil {
		select {
		case <-f.naps:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	f.slept += d
	if !f.now.IsZero() {
		f.now = f.now.Add(d)
	}
	return ctx.Err()
}

func (f *fake) Now() time.Time                     { return f.now }
func (f *fake) InMiniProgram(context.Context) bool { return f.mini }
func (f *fake) OpenDialog(id string)               { f.dialog = id }
func (f *fake) CloseDialog(string)                 { f.dialog = "" }
func (f *fake) OnKey(key func(string)) (stop func()) {
	f.key = key
	return func() { f.key = func(string) {} }
}

// at returns where the web view was sent last, "" for nowhere.
func (f *fake) at() string {
	if len(f.went) == 0 {
		return ""
	}
	return f.went[len(f.went)-1]
}

// made counts the calls that begin with a prefix.
func (f *fake) made(prefix string) (n int) {
	for _, c := range f.calls {
		if strings.HasPrefix(c, prefix) {
			n++
		}
	}
	return n
}
