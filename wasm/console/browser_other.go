//go:build !js

package main

import (
	"context"
	"errors"
	"time"

	"h5pay/wasm/dom"
)

// noBrowser is the browser of a program that runs natively, which shows nothing.
type noBrowser struct{}

func newBrowser() browser { return noBrowser{} }

var errNoBrowser = errors.New("there is no browser")

func (noBrowser) Origin() string         { return "" }
func (noBrowser) Query() string          { return "" }
func (noBrowser) Language() string       { return "" }
func (noBrowser) Setting(string) string  { return "" }
func (noBrowser) Set(string, string)     {}
func (noBrowser) SetDocumentLang(string) {}
func (noBrowser) OnReturn(func()) func() { return func() {} }
func (noBrowser) Visible() bool          { return false }
func (noBrowser) OpenDialog(string)      {}
func (noBrowser) CloseDialog(string)     {}
func (noBrowser) Focus(string)           {}
func (noBrowser) Keep(string, string)    {}
func (noBrowser) Save(string)            {}
func (noBrowser) Drop(string)            {}

func (noBrowser) Release(string) {}
func (noBrowser) Print()         {}

func (noBrowser) Picture(context.Context, string, int) (string, error) { return "", errNoBrowser }

func (noBrowser) Copy(context.Context, string) error { return errNoBrowser }

func (noBrowser) Photo(context.Context, string, int) (string, error) { return "", errNoBrowser }

func (noBrowser) Sleep(context.Context, time.Duration) error { return errNoBrowser }

func (noBrowser) Fetch(context.Context, string, string, map[string]string, []byte) (dom.Response, error) {
	return dom.Response{}, errNoBrowser
}
