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

// fake is a browser for tests. It records navigations and answers calls from a script.
type fake struct {
	t            *testing.T
	address      *url.URL
	ua           string
	storage      map[string]string // nil: storage is blocked
	tag          string            // navigator.language
	documentLang string            // <html lang>

	// script holds the answers to each "METHOD /path" in order. The last answer repeats.
	mu     sync.Mutex
	script map[string][]any
	calls  []string // "METHOD /path body"

	pageData    string   // what the page arrived with
	pageOld     bool     // a copy of the service worker
	signInQuery string   // what site/check.js removed from the address
	navigations []string // by Assign or Replace
	invoked     int
	reply       payReply
	bridge      error
	sheetOpen   chan struct{} // the payment sheet stays open until this is closed
	slept       time.Duration
	copied      string
	noCopy      error
	miniProgram bool             // in a mini program's web view
	now         time.Time        // the signer's time; Sleep advances it
	sleeps      chan struct{}    // unless nil, each Sleep waits for a value
	dialog      string           // the open dialog
	key         func(string)     // from OnKey
	onReturn    func(returnKind) // from OnReturn
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

// on adds responses for a call. A value gives status 200, an api.Code an error response, an error
// no response, and an answer itself.
func (f *fake) on(call string, answers ...any) *fake {
	f.script[call] = append(f.script[call], answers...)
	return f
}

func (f *fake) Path() string      { return f.address.Path }
func (f *fake) Query() string     { return f.address.RawQuery }
func (f *fake) Href() string      { return f.address.String() }
func (f *fake) UserAgent() string { return f.ua }
func (f *fake) SignInQuery() string {
	taken := f.signInQuery
	f.signInQuery = ""
	return taken
}
func (f *fake) PageData() (string, bool) {
	taken := f.pageData
	f.pageData = ""
	return taken, f.pageOld
}
func (f *fake) ReplaceAddress(to string) {
	u, err := f.address.Parse(to)
	if err != nil {
		f.t.Fatal(err)
	}
	f.address = u
}
func (f *fake) Assign(to string)          { f.navigations = append(f.navigations, to) }
func (f *fake) Replace(to string)         { f.navigations = append(f.navigations, to) }
func (f *fake) Language() string          { return f.tag }
func (f *fake) Setting(key string) string { return f.Recall("kept " + key) }
func (f *fake) Set(key, value string)     { f.Remember("kept "+key, value) }
func (f *fake) ClearPersonal() {
	for key := range f.storage {
		if personal(strings.TrimPrefix(key, "kept ")) {
			delete(f.storage, key)
		}
	}
}
func (f *fake) SetDocumentLang(tag string) { f.documentLang = tag }
func (f *fake) OnReturn(back func(returnKind)) (stop func()) {
	f.onReturn = back
	return func() { f.onReturn = func(returnKind) {} }
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

func (f *fake) Fetch(ctx context.Context, method, path string, body []byte) (response, error) {
	if err := ctx.Err(); err != nil {
		return response{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	call := method + " " + path
	f.calls = append(f.calls, strings.TrimSpace(call+" "+string(body)))
	answers := f.script[call]
	if len(answers) == 0 {
		f.t.Errorf("unexpected call %s %s", call, body)
		return response{}, errors.New("not in the script")
	}
	if len(answers) > 1 {
		f.script[call] = answers[1:]
	}
	switch a := answers[0].(type) {
	case error:
		return response{}, a
	case response:
		return a, nil
	case api.Code:
		text, _ := json.Marshal(api.Error{Code: a, Message: "scripted", RequestID: "request-1"})
		return response{Status: a.Status(), Body: text}, nil
	default:
		text, err := json.Marshal(a)
		if err != nil {
			f.t.Error(err)
		}
		return response{Status: 200, Body: text}, nil
	}
}

func (f *fake) InvokePay(ctx context.Context, _ api.PayParams) (payReply, error) {
	f.invoked++
	if f.sheetOpen != nil {
		select {
		case <-f.sheetOpen:
		case <-ctx.Done():
			return payReply{}, ctx.Err()
		}
	}
	return f.reply, f.bridge
}

func (f *fake) Copy(_ context.Context, text string) error {
	if f.noCopy == nil {
		f.copied = text
	}
	return f.noCopy
}

func (f *fake) Sleep(ctx context.Context, d time.Duration) error {
	if f.sleeps != nil {
		select {
		case <-f.sleeps:
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
func (f *fake) InMiniProgram(context.Context) bool { return f.miniProgram }
func (f *fake) OpenDialog(id string)               { f.dialog = id }
func (f *fake) CloseDialog(string)                 { f.dialog = "" }
func (f *fake) OnKey(key func(string)) (stop func()) {
	f.key = key
	return func() { f.key = func(string) {} }
}

// lastNavigation returns where the web view was sent last, "" for nowhere.
func (f *fake) lastNavigation() string {
	if len(f.navigations) == 0 {
		return ""
	}
	return f.navigations[len(f.navigations)-1]
}

// countCalls counts the calls that begin with a prefix.
func (f *fake) countCalls(prefix string) (n int) {
	for _, c := range f.calls {
		if strings.HasPrefix(c, prefix) {
			n++
		}
	}
	return n
}
