package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"h5pay/internal/v1"
)

// now is a minute before 18:00 in Beijing.
var now = time.UnixMilli(1795945140000)

// A form makes a request, or names the input that is wrong.
func TestLinkForm(t *testing.T) {
	fixed := linkForm{title: " 一号桌 ", amount: "12.00"}
	named := linkForm{title: "捐款", open: true, least: "1", most: "5000"}
	for name, test := range map[string]struct {
		form   linkForm
		change func(*linkForm)
		exists bool
		input  string
		want   v1.CreateLink
	}{
		"a fixed amount":           {form: fixed, want: v1.CreateLink{Title: "一号桌", Amount: 1200}},
		"the payer names it":       {form: named, want: v1.CreateLink{Title: "捐款", MinAmount: 100, MaxAmount: 500000}},
		"all":                      {form: fixed, change: func(f *linkForm) { f.detail, f.maximum, f.until = "堂食", "30", "2026-11-29T18:00" }, want: v1.CreateLink{Title: "一号桌", Description: "堂食", Amount: 1200, MaxOrders: 30, ExpiresAt: 1795946400000}},
		"a change":                 {form: linkForm{title: "一号桌"}, exists: true, want: v1.CreateLink{Title: "一号桌"}},
		"a change of the past":     {form: linkForm{title: "一号桌", until: "2020-01-01T00:00"}, exists: true, want: v1.CreateLink{Title: "一号桌", ExpiresAt: 1577808000000}},
		"no title":                 {form: fixed, change: func(f *linkForm) { f.title = " " }, input: "title"},
		"no amount":                {form: fixed, change: func(f *linkForm) { f.amount = "" }, input: "amount"},
		"nothing":                  {form: fixed, change: func(f *linkForm) { f.amount = "0" }, input: "amount"},
		"a part of a fen":          {form: fixed, change: func(f *linkForm) { f.amount = "1.005" }, input: "amount"},
		"no lower bound":           {form: named, change: func(f *linkForm) { f.least = "" }, input: "least"},
		"no upper bound":           {form: named, change: func(f *linkForm) { f.most = "x" }, input: "most"},
		"the bounds the other way": {form: named, change: func(f *linkForm) { f.most = "0.99" }, input: "most"},
		"no order":                 {form: fixed, change: func(f *linkForm) { f.maximum = "0" }, input: "maximum"},
		"too many orders":          {form: fixed, change: func(f *linkForm) { f.maximum = "1000001" }, input: "maximum"},
		"the past":                 {form: fixed, change: func(f *linkForm) { f.until = "2026-11-28T18:00" }, input: "until"},
		"no minute":                {form: fixed, change: func(f *linkForm) { f.until = "2026-11-29" }, input: "until"},
	} {
		if test.change != nil {
			test.change(&test.form)
		}
		got, input, wrong := test.form.read(test.exists, now)
		if input != test.input || (wrong == text{}) != (test.input == "") {
			t.Errorf("%s: the input %q is wrong (%v), want %q", name, input, wrong, test.input)
		}
		if test.input == "" && !slices.Equal([]any{got.Title, got.Description, got.Amount, got.MinAmount, got.MaxAmount, got.MaxOrders, got.ExpiresAt},
			[]any{test.want.Title, test.want.Description, test.want.Amount, test.want.MinAmount, test.want.MaxAmount, test.want.MaxOrders, test.want.ExpiresAt}) {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
		if test.input == "" && test.form.until != "" && minuteOf(got.ExpiresAt) != test.form.until {
			t.Errorf("%s: %s is shown as %s", name, test.form.until, minuteOf(got.ExpiresAt))
		}
	}
}

// A form that is sent again makes one link, and a form that was changed another one.
func TestLinkKeepsItsKey(t *testing.T) {
	f := full(t, every).on("POST /v1/links", errors.New("down"), errors.New("down"), errors.New("down"))
	screen, client := opened(t, f, screensOf()["/console/links/new"])
	p := screen.(*newLinkScreen)
	var keys []string
	for _, amount := range []string{"12.00", "12", "13"} {
		p.form.title, p.form.amount = "一号桌", amount
		p.create()
		settle(client)
		if !p.wrong {
			t.Errorf("a call without a response: %q", p.said)
		}
		keys = append(keys, f.header["Idempotency-Key"])
	}
	if keys[0] == "" || keys[0] != keys[1] || keys[1] == keys[2] {
		t.Errorf("the keys are %q", keys)
	}
	p.form.amount = ""
	f.calls = nil
	p.create()
	settle(client)
	if len(f.calls) > 0 || !p.wrong {
		t.Errorf("a form without an amount made %q", f.calls)
	}
}

// A link is withdrawn after a question, and changes keep what they do not name.
func TestChangesOfALink(t *testing.T) {
	stopped := tableLink
	stopped.WithdrawnAt = 1795399200000
	f := full(t, every).on("PATCH /v1/links/l1", stopped)
	f.query = "id=l1"
	screen, client := opened(t, f, screensOf()["/console/link"])
	p := screen.(*linkScreen)
	if p.form.title != "一号桌" || p.form.maximum != "5" || p.form.until != "" {
		t.Errorf("the form has %+v", p.form)
	}
	f.script["GET /v1/links/l1"] = []any{stopped}
	p.withdraw(p.page, true, textLinkWithdrawn)
	settle(client)
	if !slices.Contains(f.calls, `PATCH /v1/links/l1 {"withdrawn":true}`) || !strings.Contains(htmlOf(screen), textReopen.ZH) {
		t.Errorf("%q: %s", f.calls, htmlOf(screen))
	}
	p.form = linkForm{title: "二号桌"}
	p.change()
	settle(client)
	if !slices.Contains(f.calls, `PATCH /v1/links/l1 {"title":"二号桌","description":"","max_orders":0,"expires_at":0}`) {
		t.Errorf("%q", f.calls)
	}
}

// The poster is drawn again when its title has changed, and every picture is freed. A browser that
// cannot draw shows the poster as it is.
func TestPoster(t *testing.T) {
	f := full(t, every)
	f.query = "id=l1"
	screen, client := opened(t, f, screensOf()["/console/link"])
	renamed := tableLink
	renamed.Title = "二号桌"
	f.script["GET /v1/links/l1"] = []any{renamed}
	p := screen.(*linkScreen)
	p.again(p.page)
	settle(client)
	if len(f.released) != 1 || f.pictures != 2 {
		t.Errorf("%d drawn, %q freed", f.pictures, f.released)
	}
	p.again(p.page)
	settle(client)
	if f.pictures != 2 {
		t.Errorf("%d drawn", f.pictures)
	}
	p.OnDismount()
	if len(f.released) != 2 {
		t.Errorf("%q freed at the end", f.released)
	}

	f = full(t, every)
	f.query, f.noPhoto = "id=l1", errors.New("no canvas")
	screen, _ = opened(t, f, screensOf()["/console/link"])
	if html := htmlOf(screen); !strings.Contains(html, `src="/v1/links/l1/poster.svg"`) || strings.Contains(html, ".png") {
		t.Errorf("%s", html)
	}
}

func TestFileName(t *testing.T) {
	if got := fileName(`a/b:"c"?`); got != "a-b--c--" {
		t.Errorf("%s", got)
	}
}
