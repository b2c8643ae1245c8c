package wechat

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func benchmarkFields() []Field { return fieldsOf(paid()) }

func BenchmarkSign(b *testing.B) {
	fields := benchmarkFields()
	for _, t := range []SignType{SignMD5, SignHMAC} {
		b.Run(string(t), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Sign(fields, testKey, t)
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	body := []byte(paid().signed(SignHMAC))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parse(body); err != nil {
			b.Fatal(err)
		}
	}
}

// The worst message that parse will read to its end: all fields it allows.
func BenchmarkParseMostFields(b *testing.B) {
	var fields []Field
	for i := range maxFields {
		fields = append(fields, Field{"coupon_fee_" + string(rune('a'+i/26)) + string(rune('a'+i%26)), "1"})
	}
	body := write(fields)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parse(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	fields := benchmarkFields()
	b.ReportAllocs()
	for b.Loop() {
		write(fields)
	}
}

// A bill of 10 000 payments, about 2.5 MiB.
func BenchmarkParseBill(b *testing.B) {
	names, rest, _ := strings.Cut(string(theBill(b)), "\n")
	row, _, _ := strings.Cut(rest, "\n")
	const n = 10_000
	var body bytes.Buffer
	fmt.Fprintln(&body, names)
	for range n {
		fmt.Fprintln(&body, row)
	}
	fmt.Fprintf(&body, "%s\n`%d,`%d,`0,`%d,`0\n", sumNames, n, n*880/100, n*780/100)
	c, err := New(Config{AppID: testAppID, AppSecret: testSecret, MchID: testMchID, APIKey: testKey, Doer: &script{}})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(body.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if bill, err := c.ParseBill(body.Bytes()); err != nil || len(bill.Rows) != n {
			b.Fatal(err)
		}
	}
}
