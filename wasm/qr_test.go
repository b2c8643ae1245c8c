package main

import (
	"fmt"
	"image"
	"image/draw"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	qrcodes "h5pay/internal/qrcode"
)

// A scanner reads the text from the image.
func TestQRImage(t *testing.T) {
	for _, text := range []string{
		"weixin://wxpay/bizpayurl?pr=AbCdEfGzz", "weixin://", "0", "支付 <&\"'%#>", strings.Repeat("x", 42), strings.Repeat("x", 512),
	} {
		address, err := qrImage(text)
		if err != nil {
			t.Fatal(err)
		}
		escaped, ok := strings.CutPrefix(address, "data:image/svg+xml,")
		drawn, err := url.PathUnescape(escaped)
		if !ok || err != nil || strings.ContainsAny(escaped, `"<>#`) {
			t.Errorf("%s is no address of an image: %v", address, err)
		}
		got, err := scan(drawn)
		if err != nil || got != text {
			t.Errorf("%q, %v; want %q", got, err, text)
		}
	}
	if _, err := qrImage(strings.Repeat("x", 3000)); err == nil {
		t.Error("too long a text has an image")
	}
}

// scan reads a QR code from an SVG that qrImage returned.
func scan(drawing string) (string, error) {
	frame := regexp.MustCompile(`viewBox="0 0 (\d+) (\d+)"`).FindStringSubmatch(drawing)
	if frame == nil || frame[1] != frame[2] {
		return "", fmt.Errorf("no square frame in %s", drawing)
	}
	size, err := strconv.Atoi(frame[1])
	if err != nil {
		return "", err
	}
	const module = 4 // pixels
	picture := image.NewGray(image.Rect(0, 0, size*module, size*module))
	draw.Draw(picture, picture.Bounds(), image.White, image.Point{}, draw.Src)
	for _, run := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`).FindAllStringSubmatch(drawing, -1) {
		var n [4]int
		for i := range n {
			if n[i], err = strconv.Atoi(run[i+1]); err != nil {
				return "", err
			}
		}
		if n[2] != n[3] {
			return "", fmt.Errorf("%s is no rectangle", run[0])
		}
		if min(n[0], n[1]) < qrcodes.QuietZone || max(n[0]+n[2], n[1]+1) > size-qrcodes.QuietZone {
			return "", fmt.Errorf("%s is in the margin", run[0])
		}
		draw.Draw(picture, image.Rect(n[0]*module, n[1]*module, (n[0]+n[2])*module, (n[1]+1)*module), image.Black, image.Point{}, draw.Src)
	}
	bits, err := gozxing.NewBinaryBitmapFromImage(picture)
	if err != nil {
		return "", err
	}
	read, err := qrcode.NewQRCodeReader().Decode(bits, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_CHARACTER_SET: "UTF-8"})
	if err != nil {
		return "", err
	}
	if level := read.GetResultMetadata()[gozxing.ResultMetadataType_ERROR_CORRECTION_LEVEL]; level != "M" {
		return "", fmt.Errorf("error correction level %v", level)
	}
	return read.GetText(), nil
}
