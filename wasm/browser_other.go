//go:build !js

package main

import (
	"context"
	"errors"
	"time"

	"h5pay/internal/api"
)

// nowhere is the browser of a page that is rendered at build time: every
// screen shows how it looks while it loads.
type nowhere struct{}

func newBrowser() browser { return nowhere{} }

var errNowhere = errors.New("there is no browser")

func (nowhere) Path() string                       { return "/" }
func (nowhere) Query() string                      { return "" }
func (nowhere) Href() string                       { return "/" }
func (nowhere) UserAgent() string                  { return "" }
func (nowhere) Language() string                   { return "" }
func (nowhere) Setting(string) string              { return "" }
func (nowhere) Set(string, string)                 {}
func (nowhere) ForgetPerson()                      {}
func (nowhere) Speak(string)                       {}
func (nowhere) Landing() string                    { return "" }
func (nowhere) ReplaceAddress(string)              {}
func (nowhere) Assign(string)                      {}
func (nowhere) Replace(string)                     {}
func (nowhere) Recall(string) string               { return "" }
func (nowhere) Remember(string, string)            {}
func (nowhere) OnReturn(func(returned)) func()     { return func() {} }
func (nowhere) OnKey(func(string)) func()          { return func() {} }
func (nowhere) OpenDialog(string)                  {}
func (nowhere) CloseDialog(string)                 {}
func (nowhere) Now() time.Time                     { return time.Time{} }
func (nowhere) InMiniProgram(context.Context) bool { return false }
func (nowhere) Copy(context.Context, string) error { return errNowhere }

func (nowhere) Fetch(context.Context, string, string, []byte) (answer, error) {
	return answer{}, errNowhere
}

func (nowhere) InvokePay(context.Context, api.PayParams) (payReply, error) {
	return payReply{}, errNowhere
}

func (nowhere) Sleep(context.Context, time.Duration) error { return errNowhere }

// lendStorage has nothing to lend to where there is no browser.
func lendStorage() {}
