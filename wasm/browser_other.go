//go:build !js

package main

import (
	"context"
	"errors"
	"time"

	"h5pay/internal/api"
)

// noBrowser is the browser of pages that are rendered at build time. Every screen then shows its
// loading state.
type noBrowser struct{}

func newBrowser() browser { return noBrowser{} }

var errNoBrowser = errors.New("there is no browser")

func (noBrowser) Path() string                       { return "/" }
func (noBrowser) Query() string                      { return "" }
func (noBrowser) Href() string                       { return "/" }
func (noBrowser) UserAgent() string                  { return "" }
func (noBrowser) Language() string                   { return "" }
func (noBrowser) Setting(string) string              { return "" }
func (noBrowser) Set(string, string)                 {}
func (noBrowser) ClearPersonal()                     {}
func (noBrowser) SetDocumentLang(string)             {}
func (noBrowser) PageData() (string, bool)           { return "", false }
func (noBrowser) SignInQuery() string                { return "" }
func (noBrowser) ReplaceAddress(string)              {}
func (noBrowser) Assign(string)                      {}
func (noBrowser) Replace(string)                     {}
func (noBrowser) Recall(string) string               { return "" }
func (noBrowser) Remember(string, string)            {}
func (noBrowser) OnReturn(func(returnKind)) func()   { return func() {} }
func (noBrowser) OnKey(func(string)) func()          { return func() {} }
func (noBrowser) OpenDialog(string)                  {}
func (noBrowser) CloseDialog(string)                 {}
func (noBrowser) Now() time.Time                     { return time.Time{} }
func (noBrowser) InMiniProgram(context.Context) bool { return false }
func (noBrowser) Copy(context.Context, string) error { return errNoBrowser }

func (noBrowser) Fetch(context.Context, string, string, []byte) (response, error) {
	return response{}, errNoBrowser
}

func (noBrowser) InvokePay(context.Context, api.PayParams) (payReply, error) {
	return payReply{}, errNoBrowser
}

func (noBrowser) Sleep(context.Context, time.Duration) error { return errNoBrowser }
