package main

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// What a scanner would read in the image is the text.
func TestQRImage(t *testing.T) {
	for _, text := range []string{
		"weixin://wxpay/bizpayurl?pr=AbCdEfGzz", "weixin://", "0", "支付 <&\"'%#>", strings.Repeat("x", 42),
	} {
		image, err := qrImage(text)
		if err != nil {
			t.Fatal(err)
		}
		escaped, ok := strings.CutPrefix(image, "data:image/svg+xml,")
		drawn, err := url.PathUnescape(escaped)
		if !ok || err != nil || strings.ContainsAny(escaped, `"<>#`) {
			t.Errorf("%s is no address of an image: %v", image, err)
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

// scan reads a QR code out of an image as this program draws it: versions 1 to 3
// in level M, which have one block, and no errors to correct. It knows the
// standard, ISO/IEC 18004, and nothing of the encoder.
func scan(image string) (string, error) {
	frame := regexp.MustCompile(`viewBox="0 0 (\d+) (\d+)"`).FindStringSubmatch(image)
	if frame == nil {
		return "", fmt.Errorf("no frame in %s", image)
	}
	whole, _ := strconv.Atoi(frame[1])
	size := whole - 8 // the quiet zone, four modules on each side
	dark := map[[2]int]bool{}
	for _, run := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`).FindAllStringSubmatch(image, -1) {
		var n [4]int
		for i := range n {
			n[i], _ = strconv.Atoi(run[i+1])
		}
		for x := range n[2] {
			dark[[2]int{n[0] - 4 + x, n[1] - 4}] = true
		}
	}
	version := (size - 17) / 4
	if version < 1 || version > 3 || size != 17+4*version {
		return "", fmt.Errorf("version %d", version)
	}
	format := 0
	for _, at := range [][2]int{{0, 8}, {1, 8}, {2, 8}, {3, 8}, {4, 8}} { // level and mask
		format <<= 1
		if dark[at] {
			format |= 1
		}
	}
	if format ^= 0b10101; format>>3 != 0b00 {
		return "", fmt.Errorf("format %05b is not level M", format)
	}
	if format&7 != 0 {
		return "", fmt.Errorf("mask %d", format&7)
	}
	function := func(x, y int) bool {
		corner := x < 9 && y < 9 || x < 9 && y >= size-8 || x >= size-8 && y < 9
		alignment := version > 1 && x >= size-9 && x < size-4 && y >= size-9 && y < size-4
		return corner || alignment || x == 6 || y == 6
	}
	var bits []byte
	for right, up := size-1, true; right > 0; right, up = right-2, !up {
		if right == 6 {
			right--
		}
		for i := range size {
			y := i
			if up {
				y = size - 1 - i
			}
			for _, x := range []int{right, right - 1} {
				if function(x, y) {
					continue
				}
				bit := byte('0')
				if dark[[2]int{x, y}] != ((x+y)%2 == 0) {
					bit = '1'
				}
				bits = append(bits, bit)
			}
		}
	}
	number := func(n int) int {
		v, _ := strconv.ParseUint(string(bits[:n]), 2, 32)
		bits = bits[n:]
		return int(v)
	}
	if mode := number(4); mode != 0b0100 {
		return "", fmt.Errorf("mode %04b is not bytes", mode)
	}
	text := make([]byte, number(8))
	for i := range text {
		text[i] = byte(number(8))
	}
	return string(text), nil
}
