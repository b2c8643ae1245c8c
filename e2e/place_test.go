package e2e

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"h5pay/wechat/wechattest"
)

// newPlace opens the shop in an environment as the first user, in a new browser. The scripts in
// prepare run before every page.
func newPlace(t *testing.T, e wechattest.Environment, prepare ...string) phone {
	t.Helper()
	world.sim.ClearFaults()
	takePhone(t, 0)
	moveTo(t, e)
	p := phone{newTab(t)}
	if world.sim.Place().Shape == wechattest.ShapeWindow {
		p.run(emulation.SetDeviceMetricsOverride(1280, 800, 1, false), emulation.SetTouchEmulationEnabled(false))
	}
	for _, script := range prepare {
		p.addScript(script)
	}
	p.open(world.sim.PhoneURL + "/")
	return p
}

// moveTo switches the simulator to an environment until the test ends.
func moveTo(t *testing.T, e wechattest.Environment) {
	t.Helper()
	if err := world.sim.SetEnvironment(e); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.sim.SetEnvironment(wechattest.Android); err != nil {
			t.Error(err)
		}
	})
}

// addScript runs a script before every page from now on.
func (tb *tab) addScript(script string) {
	tb.t.Helper()
	tb.run(chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(script).Do(ctx)
		return err
	}))
}

// readCode reads the QR code from a screenshot, like another phone's camera.
func (p phone) readCode() string {
	p.t.Helper()
	p.until("the code", `(e => e && e.complete && e.naturalWidth > 0)(document.querySelector("img.qr"))`)
	if widths := p.eval(`(e => [e.clientWidth, e.naturalWidth].join(" "))(document.querySelector("img.qr"))`); widths != "222 222" {
		p.t.Errorf("the code of 37 modules is %s pixels wide", widths)
	}
	return p.scanScreen()
}

// scanScreen returns the text of the QR code that is on the screen.
func (p phone) scanScreen() string {
	p.t.Helper()
	var shot []byte
	p.run(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		shot, err = page.CaptureScreenshot().WithFormat(page.CaptureScreenshotFormatPng).Do(ctx)
		return err
	}))
	read, err := decodeCode(shot)
	if err != nil {
		p.screenshot("unread-code")
		p.t.Fatalf("no camera can read the code: %v", err)
	}
	return read
}

// decodeCode reads the QR code on a picture, a PNG.
func decodeCode(file []byte) (string, error) {
	picture, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		return "", err
	}
	bits, err := gozxing.NewBinaryBitmapFromImage(picture)
	if err != nil {
		return "", err
	}
	return readBits(bits)
}

// readBits returns the text of a QR code. The reader fails on about one of 500 codes, whatever their
// place and size, and reads these when the picture is turned.
func readBits(bits *gozxing.BinaryBitmap) (string, error) {
	for turns := 0; ; turns++ {
		read, err := qrcode.NewQRCodeReader().Decode(bits, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true})
		if err == nil {
			return read.GetText(), nil
		}
		if turns == 3 {
			return "", err
		}
		if bits, err = bits.RotateCounterClockwise(); err != nil {
			return "", err
		}
	}
}

// payByCode scans the code on the screen and pays.
func (p phone) payByCode() {
	p.t.Helper()
	s, err := world.sim.Scan(p.readCode())
	if err != nil {
		p.t.Fatal(err)
	}
	paySheet(p.t, s)
}

// paySheet presses the button of a payment sheet outside the tab.
func paySheet(t *testing.T, s wechattest.Sheet) {
	t.Helper()
	s, err := world.sim.PaySheet(s.ID)
	if err != nil {
		t.Fatal(err)
	}
	if s.State != wechattest.SheetPaid {
		t.Fatalf("the sheet is %s: %s", s.State, s.ErrDesc)
	}
}

// newestSheet returns the payment sheet that was opened last.
func newestSheet(t *testing.T) wechattest.Sheet {
	t.Helper()
	all := world.sim.Sheets()
	if len(all) == 0 {
		t.Fatal("no payment sheet")
	}
	return all[len(all)-1]
}

// openWeChatPage taps the pay button in a browser and waits for WeChat's payment page.
func (p phone) openWeChatPage() {
	p.t.Helper()
	p.tap(`document.querySelector('[data-action="pay"]')`)
	p.until("WeChat's page", fmt.Sprintf(`location.origin === %q`, world.sim.URL))
}

// checkout goes to the pay page of the basket.
func (p phone) checkout() {
	p.t.Helper()
	p.tap(`document.querySelector('[data-action="checkout"]')`)
	p.until("the pay page", `location.pathname === "/pay"`)
}

// ledgerOrder returns WeChat's order.
func ledgerOrder(t *testing.T, id string) wechattest.Order {
	t.Helper()
	no := outTradeNo(t, id)
	for _, o := range world.sim.Ledger().Orders {
		if o.OutTradeNo == no {
			return o
		}
	}
	t.Fatalf("WeChat has no order %s", no)
	return wechattest.Order{}
}

// ordersSince returns how many orders were created since before.
func ordersSince(t *testing.T, before string) int {
	t.Helper()
	return strings.Count(orders(t), "\n") - strings.Count(before, "\n")
}
