package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
	"h5pay/internal/v1"
	"h5pay/wasm/dom"
)

// fake is a browser for tests. It answers calls from a script.
type fake struct {
	t        *testing.T
	query    string
	tag      string // navigator.language
	storage  map[string]string
	dialog   string // the open dialog
	photo    string
	noPhoto  error
	pictures int
	released []string // addresses of pictures

	mu     sync.Mutex
	script map[string][]any // by "METHOD /path?query": the last answer repeats
	calls  []string         // "METHOD /path body"
	header map[string]string
	during func(call string) // runs before a call is answered; optional
	sleeps int               // calls of Sleep that succeed
	kept   map[string]string // files
	saved  map[string]string
}

func newFake(t *testing.T) *fake {
	return &fake{t: t, tag: "zh-CN", storage: map[string]string{}, script: map[string][]any{}, kept: map[string]string{}, saved: map[string]string{}}
}

// on adds an answer: a value gives status 200, an api.Code an error, an error no response.
func (f *fake) on(call string, answers ...any) *fake {
	f.script[call] = append(f.script[call], answers...)
	return f
}

func (f *fake) Origin() string          { return "https://tea.example.com" }
func (f *fake) Query() string           { return f.query }
func (f *fake) Language() string        { return f.tag }
func (f *fake) Setting(k string) string { return f.storage[k] }
func (f *fake) Set(k, v string)         { f.storage[k] = v }
func (f *fake) SetDocumentLang(string)  {}
func (f *fake) OnReturn(func()) func()  { return func() {} }
func (f *fake) Visible() bool           { return true }
func (f *fake) OpenDialog(id string)    { f.dialog = id }
func (f *fake) CloseDialog(string)      { f.dialog = "" }
func (f *fake) Focus(string)            {}
func (f *fake) Keep(name, text string)  { f.kept[name] += text }
func (f *fake) Save(name string)        { f.saved[name] = f.kept[name] }
func (f *fake) Drop(name string)        { delete(f.kept, name) }

func (f *fake) Print()                 {}
func (f *fake) Release(address string) { f.released = append(f.released, address) }

func (f *fake) Picture(_ context.Context, path string, width int) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pictures++
	if f.noPhoto != nil {
		return "", f.noPhoto
	}
	return "blob:" + path, nil
}

func (f *fake) Copy(context.Context, string) error { return nil }

func (f *fake) Photo(context.Context, string, int) (string, error) { return f.photo, f.noPhoto }

// Sleep fails after some calls, so that nothing is read again by itself.
func (f *fake) Sleep(ctx context.Context, _ time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sleeps--; f.sleeps < 0 || ctx.Err() != nil {
		return errors.New("no time passes")
	}
	return nil
}

func (f *fake) Fetch(ctx context.Context, method, path string, header map[string]string, body []byte) (dom.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, strings.TrimSpace(method+" "+path+" "+string(body)))
	f.header = header
	if f.during != nil {
		f.during(f.calls[len(f.calls)-1])
	}
	if err := ctx.Err(); err != nil {
		return dom.Response{}, err
	}
	answers := f.script[method+" "+path]
	if len(answers) == 0 {
		plain, _, _ := strings.Cut(path, "?")
		if answers = f.script[method+" "+plain]; len(answers) == 0 {
			f.t.Errorf("unexpected call %s %s", method, path)
			return dom.Response{}, errors.New("not in the script")
		}
		path = plain
	}
	if len(answers) > 1 {
		f.script[method+" "+path] = answers[1:]
	}
	switch a := answers[0].(type) {
	case error:
		return dom.Response{}, a
	case api.Code:
		text, err := json.Marshal(v1.Error{Code: a, Message: "no", RequestID: "req1"})
		return dom.Response{Status: v1.Status(a), Body: text}, err
	default:
		text, err := json.Marshal(a)
		return dom.Response{Status: 200, Body: text}, err
	}
}

// session is an operator with every scope.
func session(scopes ...v1.Scope) v1.Session {
	return v1.Session{KeyID: "k1", Name: "Li Lei", Scopes: scopes, Shop: "小铺", ExpiresAt: 1795399200000}
}

var every = session(v1.ScopeRead, v1.ScopeWrite, v1.ScopeRefund, v1.ScopeAdmin)

// opened mounts a screen and waits for its calls.
func opened(t *testing.T, f *fake, open func(*console) app.Composer) (app.Composer, app.ClientDispatcher) {
	t.Helper()
	screen := open(newConsole(f))
	client := app.NewClientTester(screen)
	t.Cleanup(client.Close)
	settle(client)
	return screen, client
}

// settle runs what is dispatched until nothing is left.
func settle(client app.ClientDispatcher) {
	for range 6 {
		client.Consume()
		client.Wait()
	}
	client.Consume()
}

func htmlOf(c app.Composer) string { return app.HTMLString(c.Render()) }
