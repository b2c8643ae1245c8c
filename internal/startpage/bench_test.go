package startpage_test

import (
	"os"
	"testing"

	"h5pay/internal/api"
	"h5pay/internal/startpage"
)

// BenchmarkStartPage makes the page of a shop with eight products.
func BenchmarkStartPage(b *testing.B) {
	page, err := os.ReadFile("../../public/index.html")
	if err != nil {
		b.Fatal(err)
	}
	c := api.Catalogue{Products: append(startpage.Sample, startpage.Sample...)}
	for b.Loop() {
		parts, err := startpage.New(c)
		if err != nil {
			b.Fatal(err)
		}
		startpage.Fill(page, parts)
	}
}
