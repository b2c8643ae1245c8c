package doctor

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"h5pay/internal/cause"
	"h5pay/internal/order"
	"h5pay/internal/v1"
	"h5pay/webhook"
	"h5pay/wechat"
	"h5pay/wechat/apiv3"
)

// panicking is a WeChat whose calls all panic.
type panicking struct{}

func (panicking) AuthorizeURL(string, wechat.Scope, string) (string, error)  { panic("1") }
func (panicking) ExchangeCode(context.Context, string) (wechat.Token, error) { panic("2") }
func (panicking) DownloadCertificates(context.Context) ([]apiv3.PlatformCertificate, error) {
	panic("3")
}
func (panicking) Echo(context.Context, string) error          { panic("4") }
func (panicking) For(wechat.Version) (wechat.Merchant, error) { panic("5") }
func (panicking) Do(*http.Request) (*http.Response, error)    { panic("6") }
func (panicking) Notifications(context.Context, string, string, int) ([]order.Notification, error) {
	panic("7")
}

// A panic in a check ends only this check.
func TestPanicInACheck(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	d, err := New(Config{ShopURL: "https://shop.example.com", WeChat: panicking{}, Doer: panicking{}, Clock: NewClock(panicking{}, nil), Notifications: panicking{},
		Certificates: true, Endpoints: func(context.Context) ([]Endpoint, error) {
			return []Endpoint{{URL: "https://erp.example.com", Secrets: []wechat.Secret{wechat.Secret(webhook.NewSecret())}, Doer: panicking{}}}, nil
		},
		Outside: func(context.Context, string, string) []v1.CheckResult { panic("8") }, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range d.Run(t.Context(), "") {
		if c.Status != v1.CheckSkipped {
			t.Errorf("%+v", c)
		}
	}
	if !strings.Contains(log.String(), "panic") {
		t.Errorf("log:\n%s", log.String())
	}
}

func TestNewNeedsItsParts(t *testing.T) {
	t.Parallel()
	if d, err := New(Config{ShopURL: "https://shop.example.com"}); err == nil || d != nil {
		t.Errorf("%v, %v", d, err)
	}
}

// dated responds with a Date.
type dated string

func (d dated) Do(*http.Request) (*http.Response, error) {
	if d == "" {
		return nil, errors.New("no response")
	}
	return &http.Response{Header: http.Header{"Date": {string(d)}}, Body: http.NoBody}, nil
}

// A difference of a minute is a warning. From four minutes it is a failure, because WeChat
// may decline every call.
func TestClock(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	date := func(d time.Duration) dated { return dated(now.Add(d).Format(http.TimeFormat)) }
	for name, tt := range map[string]struct {
		doer dated
		want v1.CheckStatus
	}{
		"right": {date(0), v1.CheckOK}, "59 s": {date(59 * time.Second), v1.CheckOK}, "a minute": {date(-time.Minute), v1.CheckWarn},
		"four minutes": {date(4 * time.Minute), v1.CheckFail}, "an hour behind": {date(time.Hour), v1.CheckFail},
		"no response": {"", v1.CheckSkipped}, "no date": {"yesterday", v1.CheckSkipped},
	} {
		clock := NewClock(tt.doer, func() time.Time { return now })
		if res, err := clock.Do(nil); (err == nil) != (tt.doer != "") || (res == nil) != (err != nil) {
			t.Errorf("%s: %v, %v", name, res, err)
		}
		d := &Doctor{cfg: Config{Clock: clock}}
		if got := present(cause.Clock, d.clock()); got.Status != tt.want || got.Cause != "" && got.Cause != string(cause.ClockOff) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
