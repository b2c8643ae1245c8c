package wechat

import "testing"

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
