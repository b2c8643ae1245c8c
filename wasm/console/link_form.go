package main

import (
	"crypto/rand"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/cst"
	"h5pay/internal/fen"
	"h5pay/internal/v1"
)

var (
	textLinkTitle         = text{"标题（付款人可见）", "Title (the payer sees it)"}
	textLinkDetail        = text{"说明（付款人可见）", "Description (the payer sees it)"}
	textLinkAmount        = text{"金额（元）", "Amount in yuan"}
	textLinkMaximum       = text{"最多几单（不填则不限）", "Orders at most (empty: any number)"}
	textLinkUntil         = text{"停止收款时间（北京时间，不填则一直有效）", "Takes orders until (Beijing time; empty: always)"}
	textTitleMissing      = text{"请输入标题", "Enter a title"}
	textBadMaximum        = text{"单数应为 1 到 1000000 的整数", "Enter a whole number of orders from 1 to 1000000"}
	textBadUntil          = text{"停止收款时间应在现在之后", "The end has to be in the future"}
	textBoundsTheOtherWay = text{"最多应不小于最少", "The upper bound has to be at least the lower one"}
)

// maxLinkOrders is the greatest maximum of a link.
const maxLinkOrders = 1_000_000

// linkForm is what the operator enters for a payment link.
type linkForm struct {
	title, detail       string
	amount, least, most string // in yuan
	open                bool   // the payer names the amount
	maximum             string // of orders
	until               string // a minute of Beijing, "2026-11-28T18:00"
	key, of             string // the Idempotency-Key, and the request that it is of
}

// formOf returns the form with what a link has.
func formOf(l v1.Link) linkForm {
	f := linkForm{title: l.Title, detail: l.Description, until: minuteOf(l.ExpiresAt)}
	if l.MaxOrders > 0 {
		f.maximum = count(l.MaxOrders)
	}
	return f
}

// minuteOf returns a time in Unix ms as a minute of Beijing, "" for 0.
func minuteOf(ms int64) string {
	if ms == 0 {
		return ""
	}
	return cst.In(time.UnixMilli(ms)).Format("2006-01-02T15:04")
}

// minuteMilli returns a minute of Beijing in Unix ms, false for anything else.
func minuteMilli(minute string) (int64, bool) {
	day, clock, ok := strings.Cut(minute, "T")
	at, err := cst.ParseDay(day)
	of, clockErr := time.Parse("15:04", clock)
	if !ok || err != nil || clockErr != nil {
		return 0, false
	}
	return at.Add(time.Duration(of.Hour())*time.Hour + time.Duration(of.Minute())*time.Minute).UnixMilli(), true
}

// linkFields are the inputs of the form. The amount of a link that exists never changes.
func (s *base) linkFields(f *linkForm, exists bool) []app.UI {
	fields := []app.UI{
		s.field("title", textLinkTitle, "text", f.title, func(v string) { f.title = v }, "maxlength", "60", "autocomplete", "off"),
		s.field("detail", textLinkDetail, "text", f.detail, func(v string) { f.detail = v }, "maxlength", "200", "autocomplete", "off"),
	}
	decimal := []string{"inputmode", "decimal", "autocomplete", "off"}
	switch {
	case exists:
	case f.open:
		fields = append(fields, s.check("open", textOpenAmount, f.open, func(on bool) { f.open = on }), elem("div").Class("pair").Body(
			s.field("least", textLeast, "text", f.least, func(v string) { f.least = v }, decimal...),
			s.field("most", textMost, "text", f.most, func(v string) { f.most = v }, decimal...)))
	default:
		fields = append(fields, s.check("open", textOpenAmount, f.open, func(on bool) { f.open = on }),
			s.field("amount", textLinkAmount, "text", f.amount, func(v string) { f.amount = v }, decimal...))
	}
	return append(fields,
		s.field("maximum", textLinkMaximum, "text", f.maximum, func(v string) { f.maximum = v }, "inputmode", "numeric", "autocomplete", "off"),
		s.field("until", textLinkUntil, "datetime-local", f.until, func(v string) { f.until = v }))
}

// read returns what the form has. Otherwise it returns the ID of the first input that is wrong, and
// what is wrong.
func (f *linkForm) read(exists bool, now time.Time) (l v1.CreateLink, input string, wrong text) {
	l.Title, l.Description = strings.TrimSpace(f.title), strings.TrimSpace(f.detail)
	if l.Title == "" {
		return l, "title", textTitleMissing
	}
	type amount struct {
		id, typed string
		to        *fen.Fen
	}
	var amounts []amount
	switch {
	case exists: // it keeps its amount
	case f.open:
		amounts = []amount{{"least", f.least, &l.MinAmount}, {"most", f.most, &l.MaxAmount}}
	default:
		amounts = []amount{{"amount", f.amount, &l.Amount}}
	}
	for _, a := range amounts {
		var ok bool
		if *a.to, ok = fen.ParseYuan(a.typed); !ok || *a.to == 0 {
			return l, a.id, textBadAmount
		}
	}
	if l.MinAmount > l.MaxAmount {
		return l, "most", textBoundsTheOtherWay
	}
	if typed := strings.TrimSpace(f.maximum); typed != "" {
		n, err := strconv.Atoi(typed)
		if err != nil || n < 1 || n > maxLinkOrders {
			return l, "maximum", textBadMaximum
		}
		l.MaxOrders = n
	}
	if f.until != "" {
		at, ok := minuteMilli(f.until)
		if !ok || !exists && at <= now.UnixMilli() {
			return l, "until", textBadUntil
		}
		l.ExpiresAt = at
	}
	return l, "", text{}
}

// keyOf returns the Idempotency-Key of a request, which is the same until the request changes.
func (f *linkForm) keyOf(req v1.CreateLink) string {
	if body, err := json.Marshal(req); err != nil || f.key == "" || string(body) != f.of {
		f.key, f.of = rand.Text(), string(body)
	}
	return f.key
}
