package main

import (
	"context"
	"time"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
)

// How a QR code is followed.
const (
	codePause    = 3 * time.Second  // between two questions about the order
	codeMargin   = 2 * time.Minute  // before a code stops working it is renewed
	codeLifetime = 90 * time.Minute // of a code when nobody says what the time is
)

// follow shows the code that pays the order and keeps it good until the order
// waits no more.
func (p *payPage) follow(ctx app.Context) {
	try, giveUp := context.WithCancel(p.ctx)
	p.giveUp = giveUp
	ctx.Async(func() {
		err := p.showCodes(ctx, try)
		if try.Err() != nil {
			return
		}
		giveUp()
		ctx.Dispatch(func(app.Context) { p.err, p.giveUp = err, nil })
	})
}

// showCodes shows one code after the other: each until it is about to stop
// working, for a renewed one voids the one before.
func (p *payPage) showCodes(ctx app.Context, try context.Context) error {
	for renew := false; ; renew = true {
		c, err := checkout(try, p.b, p.id, renew)
		if code(err) == api.CodeOrderPaid || code(err) == api.CodeOrderNotPayable || err == nil && !payable(c.Order.Status) {
			p.toResult()
			return nil
		}
		var image string
		if err == nil {
			image, err = qrImage(c.CodeURL)
		}
		if err != nil {
			return err
		}
		ctx.Dispatch(func(app.Context) { p.code, p.late = image, false })
		if done, err := p.await(try, c); done || err != nil {
			return err
		}
		ctx.Dispatch(func(app.Context) { p.late = true })
	}
}

// await asks about the order of a code until it waits no more, when it goes on
// to the result and returns true, or until the code is about to end before the
// order does.
func (p *payPage) await(ctx context.Context, c api.Checkout) (bool, error) {
	for waited := codePause; ; waited += codePause {
		if err := p.b.Sleep(ctx, codePause); err != nil {
			return false, err
		}
		o, err := getOrder(ctx, p.b, p.id)
		switch {
		case err == nil && p.left(o):
			return true, nil
		case err != nil && !passing(code(err)):
			return false, err
		}
		now := p.b.Now()
		ending := !now.IsZero() && now.UnixMilli() > c.PayUntil-codeMargin.Milliseconds()
		if now.IsZero() {
			ending = waited >= codeLifetime
		}
		if ending && waited >= codeMargin && c.PayUntil < c.Order.ExpiresAt {
			return false, nil
		}
	}
}

// codeSheet shows the code and says what to do with it.
func (p *payPage) codeSheet() app.UI {
	how := textScan
	if p.place == onPhone || p.place == inWeChat {
		how = textScanOther
	}
	return elem("div").Class("sheet code").DataSet("code", "shown").Body(
		app.If(p.code == "" || p.late,
			elem("div").Class("picture").Role("status").Aria("label", p.say(textLoading)).Body(elem("i").Class("weui-primary-loading").Aria("hidden", "true"))).
			Else(elem("img").Class("qr").Attr("src", p.code).Attr("alt", p.say(textCode))),
		elem("p").Class("how").Text(p.say(how)),
		elem("p").Class("note").Role("status").Text(p.say(textFollows)),
		app.If(!p.place.signsIn(),
			elem("p").Class("note").Text(p.say(textPhoneHint)),
			elem("button").Class("weui-btn weui-btn_mini weui-btn_default").Attr("type", "button").Text(p.say(textCopy)).OnClick(p.copyShop)),
		app.If(p.notice != text{}, elem("p").Class("note").Role("status").Text(p.say(p.notice))))
}
