package wechattest

import "slices"

// This file, Invoke, Scan and the calls of sheets are for a program that simulates the WeChat
// client, such as h5pay's simulator/phone.

// WebView identifies the stored data of the web view in use. A program that simulates the phone has
// one cookie store for each value of User, Environment and Cookies. It has one web storage for each
// value of User, Environment and Storage.
type WebView struct {
	User        int // index in Users of the person who holds the phone
	Environment Environment
	Cookies     int // how many times cookies were lost: see FaultCookieLost, FaultFreshView
	Storage     int // how many times storage was lost: see FaultFreshView
}

// WebView returns the web view in use.
func (w *WeChat) WebView() WebView {
	w.mu.Lock()
	defer w.mu.Unlock()
	return WebView{User: w.holder, Environment: w.place.Environment, Cookies: w.cookieJars, Storage: w.views}
}

// FindUser returns the person with this openid, and whether there is one.
func (w *WeChat) FindUser(openID string) (User, bool) { return w.user(openID) }

// TakeFault uses up one count of a queued fault of this kind, and reports whether there was one.
// Faults of the client, such as FaultNoBridge, stay queued until the client takes them.
func (w *WeChat) TakeFault(kind string) bool {
	_, ok := w.takeFault(kind, "")
	return ok
}

// Record adds a message between other parties to the history, with the next Seq
// and the time of the simulator's clock, and publishes it. It returns the
// message as it was kept, without the merchant's secrets.
func (w *WeChat) Record(m Message) Message { return w.record(m) }

// PayDirs returns the payment directories in force: those of Config, or the
// roots of the phone's and the shop's origins. None means any.
func (w *WeChat) PayDirs() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.payDirs())
}

// H5Domains returns the H5 domains in force: those of Config, or the hosts of
// the phone's and the shop's origins. None means any.
func (w *WeChat) H5Domains() []string { return slices.Clone(w.h5Domains()) }
